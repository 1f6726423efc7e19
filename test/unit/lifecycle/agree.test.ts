import { expect, it } from 'vitest';
import { agree } from '../../../src/lifecycle/agree.js';
import type { SelectionChange } from '../../../src/workspace/open.js';

const changes: SelectionChange[] = [
  { key: 'engine', from: 'flink', to: 'risingwave' },
  { key: 'catalog', from: 'polaris', to: 'iceberg-rest' },
];

/** Asks, and tells what was asked and noted. */
async function asked(found: SelectionChange[], answer: boolean) {
  const questions: string[] = [];
  const notes: string[] = [];
  const consent = async (question: string): Promise<boolean> => (questions.push(question), answer);
  const error: unknown = await agree(found, { consent, note: (text) => notes.push(text) }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { questions, notes, error };
}

it('the question names every change, since nothing else reaches who cannot answer', async () => {
  const { questions, notes, error } = await asked(changes, true);
  expect(questions).toEqual(["Change this workspace's stack (engine: flink -> risingwave, catalog: polaris -> iceberg-rest)?"]);
  expect(notes.join('\n')).toContain('engine: flink -> risingwave');
  expect(error).toBeUndefined();
});

it('no is an error, and nothing is asked where nothing changes', async () => {
  expect((await asked(changes, false)).error).toMatchObject({ code: 'NOT_CHANGED', exitCode: 2 });
  expect(await asked([], false)).toEqual({ questions: [], notes: [], error: undefined });
});
