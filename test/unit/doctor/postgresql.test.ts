import { describe, expect, it } from 'vitest';
import type { StackPlace } from '../../../src/doctor/check.js';
import type { PostgresFacts } from '../../../src/doctor/checks/postgresql/facts.js';
import { postgresqlAnswers } from '../../../src/doctor/checks/postgresql/postgresql-answers.js';
import { postgresqlConnections } from '../../../src/doctor/checks/postgresql/postgresql-connections.js';
import { postgresqlWritable } from '../../../src/doctor/checks/postgresql/postgresql-writable.js';
import { serverError } from '../../../src/errors.js';
import { placeOf } from '../../helpers/doctor-place.js';

const facts: PostgresFacts = { most: 57, used: 9, holders: ['views 5', 'catalog 4'], readOnly: undefined };
const placeWith = (more: Partial<PostgresFacts>): StackPlace => placeOf({ shared: { postgresql: { ...facts, ...more } } });

describe('PostgreSQL', () => {
  it('is well with few connections', async () => {
    for (const check of [postgresqlAnswers, postgresqlConnections, postgresqlWritable]) expect(await check.look(placeWith({}))).toEqual([]);
  });
  it('with hardly a connection left tells who has them', async () => {
    const [trouble] = await postgresqlConnections.look(placeWith({ used: 49, holders: ['somebody 40', 'views 9'] }));
    expect([trouble?.title, trouble?.cause]).toEqual([
      'PostgreSQL has hardly a connection left: 49 of 57 are taken',
      'By user: somebody 40, views 9',
    ]);
  });
  it('that is read-only tells why', async () => {
    const [trouble] = await postgresqlWritable.look(placeWith({ readOnly: 'it is in recovery' }));
    expect(trouble?.cause).toMatch(/: it is in recovery$/);
  });
});

describe('a login that fails', () => {
  const failing = (state: string, runtime: 'process' | 'k3d' = 'process'): StackPlace => {
    const cause = Object.assign(new Error('refused'), { code: state, severity: 'FATAL' });
    const error = serverError({ code: 'POSTGRESQL_LOGIN', message: 'PostgreSQL refuses the password of user forge', cause });
    const place = placeOf({ stack: { runtime } });
    const share: StackPlace['share'] = (key, make) => (key === 'postgresql' ? Promise.reject(error) : place.share(key, make));
    return { ...place, share };
  };
  it('for its password is mended on processes, and explained on Kubernetes', async () => {
    const [trouble] = await postgresqlAnswers.look(failing('28P01'));
    expect([trouble?.title, trouble?.fix?.up]).toEqual(['PostgreSQL refuses the password of its superuser', true]);
    const [inPod] = await postgresqlAnswers.look(failing('28P01', 'k3d'));
    expect([inPod?.fix, inPod?.remedy]).toEqual([undefined, expect.stringContaining('kubectl -n postgresql exec')]);
  });
  it('for want of connections says so', async () => {
    expect((await postgresqlAnswers.look(failing('53300')))[0]?.title).toBe('PostgreSQL has no connection left');
  });
});
