import { serverError, type ForgeError } from '../../errors.js';
import { dependentsOf, findObject, jobStates, serverVersion, type FoundObject, type Relation } from './catalog.js';
import type { RisingWave } from './connect.js';
import { changedPart, maskCredentials } from './mask.js';
import { readNotes, type Note } from './notes.js';
import { canonical, hashOf, type ObjectName } from './statements.js';

/** A source, a view or a sink as it should be. */
export interface WantedObject extends ObjectName {
  /** Complete, credentials in place. */
  statement: string;
  /** UUID of the Iceberg table that a sink writes; undefined for the others, and while there is no table. */
  target?: string | undefined;
}

/** A difference that only making it again removes, and what goes with it. */
export interface Difference {
  field: string;
  is: string;
  should: string;
  why: string;
}

export type ObjectFinding =
  | { state: 'present' }
  | { state: 'absent' }
  /** RisingWave is still making it. */
  | { state: 'creating'; status: string }
  /** It is as it should be, and the note of it is not: nothing but the note is written. */
  | { state: 'unnoted'; found: FoundObject; why: string; is: string; should: string }
  | ({ state: 'different'; found: FoundObject; dependents: Relation[] } & Difference);

export const titleOf = ({ kind, name }: { kind: string; name: string }): string =>
  `${kind === 'materialized view' ? 'view' : kind} ${name}`;

/**
 * Compares an object with what is wanted: by the hash of the wanted statement, and by the hash of what RisingWave shows.
 * @throws ForgeError NOT_FORGES for an object, or one that reads it, that somebody else made
 */
export async function findWanted(client: RisingWave, wanted: WantedObject): Promise<ObjectFinding> {
  const found = await findObject(client, wanted);
  if (found === undefined) return { state: 'absent' };
  const notes = await readNotes(client);
  const note = notes.get(wanted.name);
  const isSame = canonical(found.definition) === canonical(wanted.statement);
  if (note?.kind !== wanted.kind) {
    if (!isSame) throw foreign(wanted);
    return { state: 'unnoted', found, why: 'was made by hand, with the same SQL', is: 'no', should: 'yes' };
  }
  const difference = await differenceOf(client, wanted, found, note);
  if (difference !== undefined) {
    const dependents = await dependentsOf(client, found.id);
    const strangers = dependents.filter((one) => !one.isPublic || !notes.has(one.name));
    if (strangers.length > 0) throw heldBack(wanted, difference, strangers);
    return { state: 'different', found, dependents, ...difference };
  }
  const status = (await jobStates(client)).get(wanted.name) ?? 'CREATED';
  if (status !== 'CREATED') return { state: 'creating', status };
  if (note.definition === '') return { state: 'unnoted', found, why: 'was made by a run that was interrupted', is: 'no', should: 'yes' };
  if (note.definition !== hashOf(found.definition))
    return {
      state: 'unnoted',
      found,
      why: 'is shown in other words by another version',
      is: note.version,
      should: await serverVersion(client),
    };
  return { state: 'present' };
}

async function differenceOf(client: RisingWave, wanted: WantedObject, found: FoundObject, note: Note): Promise<Difference | undefined> {
  if (note.wanted !== hashOf(canonical(wanted.statement)))
    return { field: 'sql', ...changedPart(note.statement, wanted.statement), why: 'its SQL changed' };
  if (wanted.kind === 'sink' && note.target !== (wanted.target ?? ''))
    return { field: 'table', is: note.target, should: wanted.target ?? 'a new one', why: 'its Iceberg table is a new one' };
  if (note.definition === '' || note.definition === hashOf(found.definition) || note.version !== (await serverVersion(client)))
    return undefined;
  return { field: 'definition', ...changedPart(found.definition, note.shown), why: 'somebody changed it' };
}

/** The note of an object that RisingWave shows like this; `definition` is left out while it is being made. */
export async function noteOf(client: RisingWave, wanted: WantedObject, definition?: string): Promise<Note> {
  return {
    kind: wanted.kind,
    name: wanted.name,
    wanted: hashOf(canonical(wanted.statement)),
    definition: definition === undefined ? '' : hashOf(definition),
    statement: maskCredentials(wanted.statement),
    shown: definition === undefined ? '' : maskCredentials(definition),
    target: wanted.target ?? '',
    version: await serverVersion(client),
  };
}

const foreign = (wanted: ObjectName): ForgeError =>
  serverError({
    code: 'NOT_FORGES',
    message: `RisingWave has a ${titleOf(wanted)} that forge did not make, with other SQL than forge's`,
    hint: `Rename it, or drop it (DROP ${wanted.kind.toUpperCase()} ${wanted.name}), and run the same command again`,
  });

const heldBack = (wanted: ObjectName, { why }: Difference, strangers: Relation[]): ForgeError =>
  serverError({
    code: 'NOT_FORGES',
    message: `${titleOf(wanted)} has to be made again, since ${why}, but ${strangers.map(titleOf).join(', ')}, which forge did not make, read${strangers.length === 1 ? 's' : ''} it`,
    hint: `Drop ${strangers.map(({ kind, name }) => `${kind} ${name}`).join(', ')}, and run the same command again`,
  });
