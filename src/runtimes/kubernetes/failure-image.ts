import type { Failure } from './failure.js';
import { eventTime, imageOf, type KubeEvent, type Pod } from './pod-types.js';

const PULL = /^(ErrImagePull|ImagePullBackOff|RegistryUnavailable|SignatureValidationFailed|ImageInspectError)$/;

/** Why an image is not there. */
export function imageFailure(
  reason: string,
  message: string,
  image: string,
  images: Readonly<Record<string, string>>,
): Failure | undefined {
  const name = Object.entries(images).find(([, reference]) => reference === image)?.[0];
  const setting = name === undefined ? 'the image in the manifest' : `images.${name} in forge.yaml`;
  const what = `${reason}: ${image}${message === '' ? '' : ` (${message})`}`;
  if (reason === 'InvalidImageName') return { code: 'IMAGE_INVALID', what, hint: `Correct ${setting}` };
  if (reason === 'ErrImageNeverPull')
    return { code: 'IMAGE_MISSING', what, hint: 'The node does not have the image: bring it there with `forge images load FILE`' };
  if (!PULL.test(reason)) return undefined;
  return { code: 'IMAGE_NOT_PULLED', what, hint: pullHint(message, setting) };
}

function pullHint(message: string, setting: string): string {
  if (/no space left/i.test(message)) return 'The disk of the node is full: free some space, then run the same command again';
  if (/toomanyrequests|rate limit|429/i.test(message))
    return 'The registry allows no more downloads for now: wait, log in to it, or name a mirror (images.mirror in forge.yaml)';
  if (/dial tcp|no such host|i\/o timeout|connection refused|network is unreachable|TLS handshake|EOF|lookup /i.test(message))
    return 'The node does not reach the registry: with a network try again; without one bring the images with `forge images load FILE`, or name a mirror (images.mirror in forge.yaml)';
  if (/not found|manifest unknown|does not exist|no match for platform|unknown manifest/i.test(message))
    return `There is no such image for this machine: correct ${setting}`;
  if (/unauthorized|denied|authentication|403|401/i.test(message))
    return `The registry does not give the image to everybody, or there is none of this name: correct ${setting}, or name a mirror (images.mirror)`;
  if (/x509|certificate/i.test(message))
    return 'The node does not trust the certificate of the registry: name another one (images.mirror in forge.yaml)';
  return `Can the node reach the registry, and is the name right? Correct ${setting}, or bring the image with \`forge images load FILE\``;
}

/** Images that are being pulled for a pod right now, and since when. */
export function pullsOf(pod: Pod, events: readonly KubeEvent[]): { image: string; since: number }[] {
  const byContainer = new Map<string, { pulling?: number; over?: number }>();
  for (const event of events) {
    const container = /\{(.+)\}/.exec(event.involvedObject?.fieldPath ?? '')?.[1];
    if (container === undefined) continue;
    const seen = byContainer.get(container) ?? {};
    if (event.reason === 'Pulling') seen.pulling = Math.max(seen.pulling ?? 0, eventTime(event));
    else if (/^(Pulled|Failed|BackOff|Created|Started)$/.test(event.reason ?? '')) seen.over = Math.max(seen.over ?? 0, eventTime(event));
    byContainer.set(container, seen);
  }
  const waits = (name: string): boolean => {
    const status = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])].find(
      (one) => one.name === name,
    );
    return status?.state?.running === undefined && status?.state?.terminated === undefined;
  };
  return [...byContainer].flatMap(([name, { pulling, over = -Infinity }]) =>
    pulling !== undefined && pulling > over && waits(name) ? [{ image: imageOf(pod, name) ?? name, since: pulling }] : [],
  );
}
