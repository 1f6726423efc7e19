import type { Container } from '../../clients/docker-objects.js';
import { API_PORT, DATA_PATH, PACKAGES_PATH, type ClusterSpec } from './config.js';
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
  for (const target of [DATA_PATH, PACKAGES_PATH]) compare(`volume ${target}`, mounted(node.binds, target), mounted(spec.binds, target));
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

const mounted = (binds: readonly string[], target: string): string => {
  const bind = binds.find((one) => one.split(':')[1] === target);
  return bind?.split(':')[0] ?? 'none';
};

/** Ports on this machine that a node publishes, or will when it is started. */
export const hostPorts = ({ ports }: Container): number[] => ports.map(({ host }) => host);
/** The port of this machine that leads to its API. */
export const apiPort = ({ ports }: Container): number | undefined => ports.find(({ inside }) => inside === API_PORT)?.host;
