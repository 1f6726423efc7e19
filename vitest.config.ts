import { defineConfig } from 'vitest/config';

/** A test that a busy machine delayed is tried once more; the report tells which. */
const retry = 1;

/** Suites that start servers run after the others, one file at a time: two are each slower by as much. */
const servers = { retry, fileParallelism: false, disableConsoleIntercept: true, hookTimeout: 600_000 };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          retry,
          include: ['test/unit/**/*.test.ts'],
          testTimeout: 20_000,
          // Many wait for a child of their own; vitest alone would leave one core of two idle.
          maxWorkers: '100%',
          disableConsoleIntercept: true,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          // npm run test:specs -- FOLDER; not a part of `npm test`, because the documents are not forge's to ship.
          name: 'specs',
          include: ['test/specs/**/*.test.ts'],
          testTimeout: 60_000,
          disableConsoleIntercept: true,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...servers,
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/helpers/servers.setup.ts'],
          testTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          // npm run test:k3d: needs Docker and k3d; not a part of `npm test`.
          ...servers,
          name: 'kubernetes',
          include: ['test/kubernetes/**/*.test.ts'],
          testTimeout: 900_000,
          hookTimeout: 900_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          ...servers,
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 900_000,
          hookTimeout: 900_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
