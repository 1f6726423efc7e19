import { redact } from '../../workspace/secret.js';

const KEY = String.raw`[\w.]*(?:credential|secret|access\.key|password|token)[\w.]*`;
const OPTION = new RegExp(String.raw`(${KEY}"?\s*=\s*)(?:E?'(?:[^']|'')*'?|\S+)`, 'gi');
const MEMBER = new RegExp(String.raw`("${KEY}"\s*:\s*)"(?:[^"\\]|\\.)*"?`, 'gi');

/** Masks the values of options that hold credentials, wherever they stand in SQL or JSON, and every secret that forge knows. */
export const maskCredentials = (text: string): string => redact(text.replace(OPTION, "$1'***'").replace(MEMBER, '$1"***"'));

const LONGEST = 300;

/** What two statements do not share, from the first to the last word that differs; both without credentials. */
export function changedPart(is: string, should: string): { is: string; should: string } {
  const [before, after] = [is, should].map((text) => maskCredentials(text).split(/\s+/)) as [string[], string[]];
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before[start] === after[start]) start++;
  let end = 0;
  while (end < shorter - start && before.at(-1 - end) === after.at(-1 - end)) end++;
  // A word before it says which option, or which column, it is.
  const from = Math.max(0, start - 2);
  const part = (words: string[]): string => cut(words.slice(from, words.length - end).join(' '));
  return before.length === start && after.length === start ? { is: '***', should: '***' } : { is: part(before), should: part(after) };
}

const cut = (text: string): string => (text.length > LONGEST ? `${text.slice(0, LONGEST)} …` : text || '(nothing)');
