import type { StackContext } from '../../../workspace/context.js';

const SIGNS: [RegExp, string][] = [
  [/NoSuchTableException|Table does not exist|NoSuchNamespace/i, 'catalog'],
  [/NoSuchKey|NoSuchBucket|S3Exception|Location does not exist|software\.amazon|\bs3:\/\//i, 'localstack'],
  [/PSQLException|relation ".*" does not exist|column ".*"|jdbc/i, 'postgresql'],
  [/RESTException|NotAuthorized|ForbiddenException|oauth/i, 'catalog'],
  [/kafka|UnknownTopicOrPartition|bootstrap/i, 'kafka'],
  [/OutOfMemoryError|heartbeat|TaskManager|TaskExecutor|NoResourceAvailable/i, 'flink'],
];

/** The server behind an error of the engine, as far as its text tells: by the port in it, else by its words. */
export function culpritOf(text: string, stack: Pick<StackContext, 'endpoints' | 'catalog'>): string | undefined {
  // The path of a checkpoint may hold any word.
  if (/\/chk-\d+\b/.test(text)) return undefined;
  const named = (endpoint: string | undefined): string | undefined => (endpoint === 'catalog' ? stack.catalog : endpoint);
  const ports = [...text.matchAll(/[:/](\d{4,5})\b/g)].map(([, port]) => Number(port));
  const byPort = Object.entries(stack.endpoints).find(([, { port, inside }]) => ports.includes(port) || ports.includes(inside.port))?.[0];
  return named(byPort) ?? named(SIGNS.find(([sign]) => sign.test(text))?.[1]);
}
