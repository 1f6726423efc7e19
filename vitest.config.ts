import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** A test that a busy machine delayed is tried once more; the report tells which. */
const retry = 1;

/** Suites that start servers run after the others. */
const servers = { retry, disableConsoleIntercept: true, hookTimeout: 600_000 };
/** Two stacks at a time: a file waits for one server or another half of its time. */
const pairs = { fileParallelism: true, maxWorkers: 2, testTimeout: 900_000, hookTimeout: 900_000 };

/** The files that take longest, which are not to be left for the end. */
const LONG = ['doctor', 'matrix', 'flink-stack', 'faults', 'default-stack', 'k3d-cluster', 'balloon-popper', 'failures', 'secrets'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = LONG.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`) && !moduleId.includes('/unit/'));
      return at < 0 ? LONG.length : at;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          retry,
          include: ['test/unit/**/*.test.ts'],
          testTimeout: 20_000,
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
          fileParallelism: false,
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
          ...pairs,
          name: 'kubernetes',
          include: ['test/kubernetes/**/*.test.ts'],
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          ...servers,
          ...pairs,
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
