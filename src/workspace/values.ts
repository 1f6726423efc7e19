import { servicesOf } from './services.js';
import { warehouseOf, type StackContext } from './context.js';
import type { Credential } from './credentials.js';

/** What `{{ … }}` in playbooks and templates can name (docs/architecture.md lists it). */
export function templateValues(stack: StackContext): Record<string, unknown> {
  const { config, endpoints, ports, workspace } = stack;
  return {
    config,
    endpoints,
    ports,
    workspace,
    stack: stack.stack,
    runtime: stack.runtime,
    engine: stack.engine,
    catalog: stack.catalog,
    polaris: stack.catalog === 'polaris',
    images: stack.images,
    services: servicesOf(stack),
    nodePorts: stack.runtime === 'k3d',
    warehouse: warehouseOf(stack),
    secrets: secretsOf(stack),
  };
}

/** Credentials by name, read when they are asked for: earlier tasks of a run make them. */
function secretsOf({ credentials }: StackContext): Record<string, Credential | undefined> {
  const secrets: Record<string, Credential | undefined> = {};
  for (const name of credentials.names())
    Object.defineProperty(secrets, name, { enumerable: true, configurable: true, get: () => credentials.read(name) });
  return secrets;
}
