import type { Task } from './task.js';

/** A task and what it needs, once the tasks that take no part have been left out. */
export interface Node {
  task: Task;
  needs: string[];
}

/** The first cycle in what tasks need, named in order (`a, b, c, a`: a needs b, b needs c, c needs a). */
export function findCycle(tasks: readonly Pick<Task, 'id' | 'needs'>[]): string[] | undefined {
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const done = new Set<string>();
  const visit = (id: string, path: string[]): string[] | undefined => {
    if (path.includes(id)) return [...path.slice(path.indexOf(id)), id];
    if (done.has(id)) return undefined;
    for (const need of byId.get(id)?.needs ?? []) {
      const cycle = visit(need, [...path, id]);
      if (cycle) return cycle;
    }
    done.add(id);
    return undefined;
  };
  for (const task of tasks) {
    const cycle = visit(task.id, []);
    if (cycle) return cycle;
  }
  return undefined;
}

/**
 * The graph of the tasks that take part. One that does not is see-through: whoever needs it needs what it needs instead,
 * so that the order of the others stays as it was declared.
 */
export function graphOf(tasks: readonly Task[], takesPart: (task: Task) => boolean): Node[] {
  const cycle = findCycle(tasks);
  if (cycle) throw new Error(`tasks need each other in a circle: ${cycle.join(', ')}`);
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const known = new Map<string, string[]>();
  const needsOf = (task: Task): string[] => {
    let needs = known.get(task.id);
    if (!needs) {
      const direct = task.needs.map((id) => byId.get(id) ?? unknownNeed(task, id));
      needs = [...new Set(direct.flatMap((need) => (takesPart(need) ? [need.id] : needsOf(need))))];
      known.set(task.id, needs);
    }
    return needs;
  };
  return tasks.filter(takesPart).map((task) => ({ task, needs: needsOf(task) }));
}

function unknownNeed(task: Task, id: string): never {
  throw new Error(`task ${task.id} needs ${id}, which does not exist`);
}

/** The same tasks with every arrow turned round: each needs those that needed it. */
export function reversed(nodes: readonly Node[]): Node[] {
  return nodes
    .map(({ task }) => ({ task, needs: nodes.filter((other) => other.needs.includes(task.id)).map((other) => other.task.id) }))
    .reverse();
}

/** Runs `work` for every node as soon as all that it needs has ended, at most `concurrency` at once; `work` must not throw. */
export async function walk<Ended>(
  nodes: readonly Node[],
  concurrency: number,
  work: (task: Task, before: Ended[]) => Promise<Ended>,
): Promise<Ended[]> {
  const byId = new Map(nodes.map((node) => [node.task.id, node]));
  const ends = new Map<string, Promise<Ended>>();
  const inSlot = slots(concurrency);
  const end = (node: Node): Promise<Ended> => {
    let ended = ends.get(node.task.id);
    if (!ended) {
      const before = Promise.all(node.needs.flatMap((id) => byId.get(id) ?? []).map(end));
      ended = before.then((results) => inSlot(() => work(node.task, results)));
      ends.set(node.task.id, ended);
    }
    return ended;
  };
  return Promise.all(nodes.map(end));
}

function slots(count: number): <T>(work: () => Promise<T>) => Promise<T> {
  let free = count;
  const queue: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => queue.push(resolve));
    try {
      return await work();
    } finally {
      const next = queue.shift();
      if (next) next();
      else free += 1;
    }
  };
}
