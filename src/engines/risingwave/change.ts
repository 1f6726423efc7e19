import { serverError } from '../../errors.js';
import { waitUntil } from '../../clients/wait.js';
import { findObject, jobStates, type Relation } from './catalog.js';
import type { RisingWave } from './connect.js';
import { readNotes, removeEmptyNotes, removeNote, writeNote } from './notes.js';
import { noteOf, titleOf, type WantedObject } from './objects.js';
import type { ObjectKind, ObjectName } from './statements.js';

/**
 * Makes an object and notes it. It is noted before, too: what an interrupted run has made is then known as forge's.
 * `statement` is what is run, where that is not the wanted one word for word.
 */
export async function createObject(client: RisingWave, wanted: WantedObject, statement = wanted.statement): Promise<void> {
  await writeNote(client, await noteOf(client, wanted));
  await client.query(statement);
  await noteObject(client, wanted);
}

/** Notes an object as RisingWave shows it now. */
export async function noteObject(client: RisingWave, wanted: WantedObject): Promise<void> {
  const found = await findObject(client, wanted);
  if (found === undefined)
    throw serverError({
      code: 'RISINGWAVE_FAILED',
      message: `RisingWave said that ${titleOf(wanted)} was made, and does not have it`,
      hint: 'See `forge logs risingwave`, then run the same command again',
    });
  await writeNote(client, await noteOf(client, wanted, found.definition));
}

/** Waits until RisingWave has made an object that it is still making. */
export const settled = (client: RisingWave, { name }: ObjectName, signal: AbortSignal): Promise<true> =>
  waitUntil(async () => ['CREATED', undefined].includes((await jobStates(client)).get(name)), { signal, what: `${name} to be created` });

/** Drops an object and all that reads it, in the order that RisingWave wants; all of it is forge's own. */
export async function dropObject(client: RisingWave, object: ObjectName, dependents: Relation[]): Promise<void> {
  for (const one of [...(dependents as { kind: string; name: string }[]), object]) {
    await client.query(`DROP ${one.kind.toUpperCase()} IF EXISTS ${one.name}`);
    await removeNote(client, one.name);
  }
}

/** Removes what forge made under this name; whatever somebody else made stays. */
export async function removeObject(client: RisingWave, object: ObjectName): Promise<void> {
  const kind: ObjectKind | undefined = (await readNotes(client)).get(object.name)?.kind;
  if (kind === object.kind) await dropObject(client, object, []);
  await removeEmptyNotes(client);
}
