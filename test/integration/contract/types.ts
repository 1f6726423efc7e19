import type { TaskModule } from '../../../src/modules/contract.js';
import type { TestWorld } from '../../helpers/world.js';

/**
 * How a module is put through the contract test, on its real server. Use names of the case's own: other cases and a
 * running stack share the servers.
 */
export interface ContractCase {
  module: TaskModule;
  title: string;
  /** Arguments as they are after rendering, for something that does not exist yet. */
  args: (world: TestWorld) => unknown;
  /** A world of the case's own, such as one with a fake in the place of a server that cannot be had. */
  world?: (world: TestWorld) => TestWorld | Promise<TestWorld>;
  /** For modules that wait: makes what they wait for happen, beside every apply. */
  meanwhile?: (world: TestWorld, args: unknown) => Promise<void>;
  /** Every way in which the thing can come to differ, deletion behind forge's back among them. */
  drift?: { what: string; make: (world: TestWorld, args: unknown) => Promise<void> }[];
  /** Why this thing cannot drift; one of `drift` and this. */
  noDrift?: string;
  /** A world in which the server does not answer, most often `withClosedPort(world, NAME)`. */
  unreachable?: (world: TestWorld) => TestWorld | Promise<TestWorld>;
  /** Why this thing cannot be unreachable; one of `unreachable` and this. */
  noUnreachable?: string;
  /** Why a module without `remove` has nothing to remove. */
  noRemove?: string;
  /** Afterwards, also when the test failed. */
  cleanup?: (world: TestWorld, args: unknown) => Promise<void>;
}
