import { request } from '../../../clients/http.js';
import { isOnKubernetes } from '../../../workspace/context.js';
import type { Check, Trouble } from '../../check.js';

const [NOTABLE_SECONDS, REFUSED_SECONDS] = [5, 15 * 60];

/** The clock of the servers against that of this machine; processes of this machine share its clock. */
export const clockSkew: Check = {
  id: 'clock-skew',
  group: 'machine',
  title: 'The servers have the same time as this machine',
  needs: ['server-down'],
  concerns: ({ stack }) => isOnKubernetes(stack),
  async look({ stack, signal }): Promise<Trouble[]> {
    const asked = Date.now();
    const { headers } = await request(stack.endpoints['localstack']!.url, { signal });
    const told = Date.parse(headers['date'] ?? '');
    if (Number.isNaN(told)) throw new Error('the object store does not tell its time');
    return clockTroubles(skewSeconds(told, asked, Date.now()));
  },
};

/** How far a server is ahead; what the way there and the whole seconds of HTTP may explain counts as none. */
export function skewSeconds(told: number, asked: number, answered: number): number {
  if (told < asked - 1000) return (told + 1000 - asked) / 1000;
  return told > answered ? (told - answered) / 1000 : 0;
}

export function clockTroubles(skew: number): Trouble[] {
  const apart = Math.abs(skew);
  if (apart < NOTABLE_SECONDS) return [];
  const far = apart >= REFUSED_SECONDS;
  return [
    {
      severity: far ? 'error' : 'warning',
      title: 'The clocks of this machine and of the servers differ',
      cause: `The servers are ${Math.round(apart)} s ${skew > 0 ? 'ahead' : 'behind'}: times of events and windows are off by as much${far ? ', and S3 refuses requests that are so far off' : ''}`,
      remedy: 'Set both by a time server (`timedatectl set-ntp true`); Docker in a virtual machine gets its time back by a restart of it',
    },
  ];
}
