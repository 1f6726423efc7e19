import type { TaskModule } from './contract.js';

/** Every kind of task, one line each; each has a case of the contract test (test/integration/contract). */
const all: TaskModule[] = [];

/** The registry, by the name that playbooks use. The modules load heavy libraries only when they are used. */
export const modules: Map<string, TaskModule> = new Map(all.map((module) => [module.name, module]));
