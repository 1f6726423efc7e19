import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { createObject, dropObject, noteObject, removeObject, settled } from '../engines/risingwave/change.js';
import { withRisingWave, type RisingWave } from '../engines/risingwave/connect.js';
import { findWanted, titleOf, type ObjectFinding, type WantedObject } from '../engines/risingwave/objects.js';
import { objectsOf, type ObjectKind } from '../engines/risingwave/statements.js';
import { messageOf, usageError } from '../errors.js';
import { renderTemplate } from '../workspace/template.js';
import { templateValues } from '../workspace/values.js';
import type { Observation, TaskContext } from './contract.js';

export const objectArgs = {
  name: z.string().regex(/^[a-z_][a-z0-9_]{0,62}$/, 'expected a lower-case SQL name'),
  template: z.string().min(1).describe("File below forge's own templates/ with the statement that creates it, among others"),
};

/** The statement that creates an object, complete, from a template. */
export async function statementOf(
  kind: ObjectKind,
  { name, template }: { name: string; template: string },
  context: TaskContext,
): Promise<string> {
  const { stack } = context;
  const file = `templates/${template}`;
  const mistake = (why: string) =>
    usageError({ code: 'TEMPLATE_INVALID', message: `${file}: ${why}`, hint: 'Correct the template or the playbook' });
  const text = await readFile(path.join(stack.packageRoot, file), 'utf8').catch((error: unknown) => {
    throw mistake(messageOf(error));
  });
  // Read all of them, so that they are masked wherever RisingWave shows one.
  for (const credential of stack.credentials.names()) stack.credentials.read(credential);
  const script = renderTemplate(text, templateValues(stack), { file }).text;
  const found = objectsOf(script).find((object) => object.kind === kind && object.name === name);
  if (found === undefined) throw mistake(`it creates no ${kind} ${name}`);
  return found.statement;
}

export const inRisingWave = <T>({ stack, signal }: TaskContext, use: (client: RisingWave) => Promise<T>): Promise<T> =>
  withRisingWave(stack, use, signal);

export const observeObject = (wanted: WantedObject, context: TaskContext): Promise<Observation> =>
  inRisingWave(context, async (client) => observationOf(wanted, await findWanted(client, wanted)));

function observationOf(wanted: WantedObject, finding: ObjectFinding): Observation {
  const title = titleOf(wanted);
  switch (finding.state) {
    case 'present':
      return { state: 'in-sync' };
    case 'absent':
      return { state: 'missing', message: `${title} is missing` };
    case 'creating': {
      const diff = [{ field: 'status', is: finding.status, should: 'CREATED' }];
      return { state: 'drifted', message: `${title} is still being created`, diff };
    }
    case 'unnoted':
      return { state: 'drifted', message: `${title} ${finding.why}`, diff: [{ field: 'noted', is: finding.is, should: finding.should }] };
    case 'different': {
      const { field, is, should } = finding;
      return { state: 'drifted', message: `${title}: ${finding.why}; ${plan(finding, 'it has to be')}`, diff: [{ field, is, should }] };
    }
  }
}

/** Names all that is dropped. */
const plan = ({ dependents }: Extract<ObjectFinding, { state: 'different' }>, verb: string): string =>
  `${verb} dropped and created again${dependents.length === 0 ? '' : `, and with it ${dependents.map(titleOf).join(', ')}`}`;

/** How an object is made; what to add to the message. */
export type Create = (client: RisingWave) => Promise<string>;

/** Brings an object to what is wanted. Dependents that are dropped with it are made again by their own tasks. */
export const applyObject = (wanted: WantedObject, context: TaskContext, create?: Create): Promise<string> =>
  inRisingWave(context, async (client) => {
    const title = titleOf(wanted);
    const make = async (): Promise<string> => {
      context.waitingFor(`RisingWave to create ${title}`);
      if (create !== undefined) return create(client);
      await createObject(client, wanted);
      return '';
    };
    const finding = await findWanted(client, wanted);
    switch (finding.state) {
      case 'present':
        return `${title} came to be as it should meanwhile`;
      case 'absent':
        return `${title} was missing; created${await make()}`;
      case 'creating':
        context.waitingFor(`RisingWave to create ${title}, which it began before`);
        await settled(client, wanted, context.signal);
        await noteObject(client, wanted);
        return `${title} was still being created; it is there now`;
      case 'unnoted':
        await noteObject(client, wanted);
        return `${title} ${finding.why}; noted as forge's`;
      case 'different': {
        context.progress(`${title}: ${plan(finding, 'is being')}`);
        await dropObject(client, wanted, finding.dependents);
        const more = await make();
        return `${title}: ${finding.why}; ${plan(finding, 'it was')}${more}`;
      }
    }
  });

export const removeNamed = (kind: ObjectKind, { name }: { name: string }, context: TaskContext): Promise<void> =>
  inRisingWave(context, (client) => removeObject(client, { kind, name }));
