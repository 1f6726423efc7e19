import { request } from '../../../clients/http.js';
import { catalogBase } from '../../../clients/iceberg.js';
import { messageOf } from '../../../errors.js';
import type { Check, Trouble } from '../../check.js';
import { requireRunning } from '../running.js';

/** Whether an Iceberg REST catalog answers at the address that the stack has for it. */
export const catalogAnswers: Check = {
  id: 'catalog-answers',
  group: 'catalog',
  title: 'The catalog answers, and is an Iceberg REST catalog',
  async look(place): Promise<Trouble[]> {
    const { stack, signal } = place;
    await requireRunning(place, stack.catalog);
    const url = `${catalogBase(stack)}/v1/config`;
    const trouble = (title: string, cause: string): Trouble[] => [
      { component: stack.catalog, title, cause, remedy: `\`forge logs ${stack.catalog}\` tells why; \`forge up\` starts it if it ended` },
    ];
    let answer;
    try {
      answer = await request(url, { signal, timeoutMs: 3500 });
    } catch (error) {
      signal.throwIfAborted();
      return trouble('The catalog does not answer', messageOf(error));
    }
    // Polaris asks for a token before it says anything.
    if (answer.status === 401 || answer.ok) return [];
    const { status, text } = answer;
    return trouble(`The catalog answers with errors: HTTP ${status}`, `GET ${url}: ${text.slice(0, 300) || '(empty)'}`);
  },
};
