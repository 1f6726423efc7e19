import { homedir } from 'node:os';
import path from 'node:path';
import type { KubeTarget } from '../../clients/kubernetes-types.js';
import { usageError } from '../../errors.js';
import type { StackContext } from '../../workspace/context.js';
import { clusterName } from '../k3d/name.js';

/**
 * The cluster of a stack. On k3d it is forge's own, with a kubeconfig in .forge; on an existing cluster the user has to name
 * the context: the one that happens to be current may be anybody's.
 * @throws ForgeError CONTEXT_MISSING (exit 2)
 */
export function kubeTarget(stack: StackContext, env: NodeJS.ProcessEnv = process.env): KubeTarget {
  if (stack.runtime === 'k3d')
    return { kubeconfig: path.join(stack.workspace.forgeDir, 'kubeconfig'), context: `k3d-${clusterName(stack)}` };
  const { context } = stack.config.kubernetes;
  if (context !== undefined) return userTarget(context, env);
  throw usageError({
    code: 'CONTEXT_MISSING',
    message: 'The runtime kubernetes needs to be told which cluster to use; forge takes none by itself',
    hint: 'Name its context: --context NAME, or kubernetes.context in forge.yaml (`kubectl config get-contexts` lists them)',
  });
}

/** A context of the user's own kubeconfig, which is only ever read. */
export const userTarget = (context: string, env: NodeJS.ProcessEnv = process.env): KubeTarget => ({
  kubeconfig: env['KUBECONFIG'] || path.join(env['HOME'] ?? homedir(), '.kube', 'config'),
  context,
});
