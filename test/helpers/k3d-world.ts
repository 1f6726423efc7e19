import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { TaskEvent } from '../../src/playbook/events.js';
import { workspaceAt } from '../../src/workspace/workspace.js';
import { command, dockerDoor, type DockerDoor } from './k3d-world-docker.js';
import { sandbox, told, type Ran, type RunOptions, type Sandbox } from './forge.js';

/** A workspace whose stack is a k3d cluster with a name of its own. */
export interface K3dWorld extends Sandbox {
  name: string;
  /** The only node's container. */
  node: string;
  door: DockerDoor;
  /** Runs `up` until an event is of this kind, then acts; `hit` tells whether there was one. */
  upUntil(when: (event: TaskEvent) => boolean, act: (kill: () => void) => void): Promise<{ ran: Ran; hit: boolean }>;
  /** Containers, volumes and networks of this stack that Docker knows, by their labels. */
  inDocker(): Promise<string[]>;
}

export const UP = ['up', '--runtime', 'k3d', '--engine', 'flink', '--catalog', 'iceberg-rest'];

export async function k3dWorld(label: string, ports: Record<string, number> = {}): Promise<K3dWorld> {
  const box = await sandbox();
  const name = `forge-${label}-${process.pid}`;
  const door = await dockerDoor(box.root);
  await writeFile(join(box.root, 'forge.yaml'), stringify({ k3d: { name }, ports }));
  const env = { FORGE_RUNTIME: 'k3d', ...door.env };
  const forge = <T>(args: string[], options: RunOptions = {}): Promise<Ran<T>> =>
    box.forge<T>(args, { ...options, env: { ...env, ...options.env } });
  return {
    ...box,
    name,
    node: `k3d-${name}-server-0`,
    door,
    forge,
    async ok<T>(args: string[], code = 0): Promise<T> {
      const ran = await forge<T>([...args, '--json']);
      if (ran.code !== code) throw new Error(`forge ${args.join(' ')} exits ${ran.code}, not ${code}:\n${told(ran)}`);
      return ran.json;
    },
    async upUntil(when, act) {
      let hit = false;
      let rest = '';
      let kill: () => void = () => undefined;
      const ran = await forge([...UP, '--output', 'ndjson'], {
        onStart: (child) => (kill = () => void child.kill('SIGKILL')),
        onStdout: (text) => {
          const lines = (rest + text).split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines) {
            const event = JSON.parse(line) as TaskEvent;
            if (hit || !when(event)) continue;
            hit = true;
            act(kill);
          }
        },
      });
      return { ran, hit };
    },
    async inDocker() {
      const { id } = workspaceAt(box.root);
      const labels = [`forge.workspace=${id}`, `k3d.cluster=${name}`];
      const lists = [
        ['ps', '-a', '--format', '{{.Names}}'],
        ['volume', 'ls', '--format', '{{.Name}}'],
        ['network', 'ls', '--format', '{{.Name}}'],
      ];
      const found = await Promise.all(
        lists.flatMap(([first, ...more]) => labels.map((label) => command('docker', first!, ...more, '--filter', `label=${label}`))),
      );
      return [...new Set(found.flat())].sort();
    },
    async remove() {
      await door.open();
      const { code, stdout, stderr } = await forge(['down', '--yes', '--json']);
      await door.close();
      if (code !== 0) throw new Error(`${box.root} did not go down: ${stdout}${stderr}`);
      await rm(box.root, { recursive: true, force: true });
    },
  };
}
