import type { Container } from '../../clients/docker-objects.js';
import { API_PORT, MOUNT_LABELS, sourceOf, type ClusterSpec } from './config.js';
import { qualified } from './reference.js';

/** A difference that only a new cluster mends; the fields of a module's difference. */
export interface Drift {
  field: string;
  is: string;
  should: string;
}

/** In what a cluster's node is not what is wanted now. */
export function driftOf(node: Container, spec: ClusterSpec): Drift[] {
  const drift: Drift[] = [];
  const compare = (field: string, is: string, should: string): void => {
    if (is !== should) drift.push({ field, is, should });
  };
  if (qualified(node.image) !== qualified(spec.image)) compare('image', node.image, spec.image);
  for (const { name, host, inside } of spec.ports) compare(`port ${name}`, published(node, inside), `127.0.0.1:${host}`);
  for (const [target, label] of Object.entries(MOUNT_LABELS)) {
    const should = sourceOf(spec.binds, target);
    compare(`volume ${target}`, node.labels[label] ?? mounted(node, target) ?? should, should);
  }
  const given = new Set(node.command);
  compare('arguments', spec.serverArguments.filter((one) => given.has(one)).join(' '), spec.serverArguments.join(' '));
  return drift;
}

function published({ ports }: Container, inside: number): string {
  const found = ports
    .filter((port) => port.inside === inside)
    .map(({ address, host }) => `${address === '' ? '0.0.0.0' : address}:${host}`);
  return found.length === 0 ? 'none' : found.join(', ');
}

/** Of a node without these labels: as far as Docker tells it. Docker Desktop says where a folder is in its virtual machine. */
function mounted({ binds }: Container, target: string): string | undefined {
  const source = sourceOf(binds, target);
  // The folder of a WSL distribution, by a name that does not tell which.
  if (source.includes('/docker-desktop-bind-mounts/')) return undefined;
  return source.replace(/^\/(host_mnt|run\/desktop\/mnt\/host)(?=\/)/, '');
}

/** Ports on this machine that a node publishes, or will when it is started. */
export const hostPorts = ({ ports }: Container): number[] => ports.map(({ host }) => host);
/** The port of this machine that leads to its API. */
export const apiPort = ({ ports }: Container): number | undefined => ports.find(({ inside }) => inside === API_PORT)?.host;
