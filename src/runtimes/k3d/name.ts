import type { StackContext } from '../../workspace/context.js';
import type { Workspace } from '../../workspace/workspace.js';

/** k3d takes no longer ones. */
const LONGEST = 32;

/** The name of the workspace's own cluster: the configured one, else one of stack and workspace, which nobody else has. */
export function clusterName({ config, stack, workspace }: Pick<StackContext, 'config' | 'stack' | 'workspace'>): string {
  if (config.k3d.name !== undefined) return config.k3d.name;
  const end = `-${workspace.id.slice(0, 6)}`;
  const start = `forge-${stack}`.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  return start.slice(0, LONGEST - end.length).replace(/-$/, '') + end;
}

export const nodeName = (cluster: string): string => `k3d-${cluster}-server-0`;
/** The helper that k3d runs for a moment while it makes or starts a cluster. */
export const toolsName = (cluster: string): string => `k3d-${cluster}-tools`;
export const networkName = (cluster: string): string => `k3d-${cluster}`;
/** k3d's own volume for images that are brought in. */
export const imageVolumeName = (cluster: string): string => `k3d-${cluster}-images`;
/** What the servers keep; it outlives the cluster. */
export const dataVolumeName = ({ id }: Pick<Workspace, 'id'>): string => `forge-${id}-data`;

/** What tells everything of this workspace in Docker from all else. */
export const ownLabel = ({ id }: Pick<Workspace, 'id'>): Record<string, string> => ({ 'forge.workspace': id });
export const ownLabels = ({ stack, workspace }: Pick<StackContext, 'stack' | 'workspace'>): Record<string, string> => ({
  'forge.stack': stack,
  ...ownLabel(workspace),
});
export const isOwn = ({ labels }: { labels: Record<string, string> }, { id }: Pick<Workspace, 'id'>): boolean =>
  labels['forge.workspace'] === id;
