import type { StackContext } from '../../../workspace/context.js';
import type { Check, Trouble } from '../../check.js';

/** Variables that `forge env` gave a shell when the stack was elsewhere: tools of that shell go there. */
export const variablesLeftOver: Check = {
  id: 'variables-left-over',
  group: 'workspace',
  severity: 'warning',
  title: 'No variable leads tools past the stack',
  look: ({ stack }) => Promise.resolve(leftOver(stack, process.env)),
};

interface Lead {
  name: string;
  is: string;
  should: string;
  /** It is forge's word: another value than the stack's is always a mistake. */
  own: boolean;
}

export function leftOver({ endpoints, engine }: Pick<StackContext, 'endpoints' | 'engine'>, env: NodeJS.ProcessEnv): Trouble[] {
  const at = (name: string): string => endpoints[name]?.url ?? '';
  const views = endpoints[engine === 'risingwave' ? 'risingwave' : 'postgresql'];
  const known = new Set(Object.values(endpoints).map(({ host, port }) => plain(`${host}:${port}`)));
  const lead = (name: string, should: string, own: boolean): Lead[] => {
    const is = env[name] ?? '';
    return is === '' || should === '' ? [] : [{ name, is, should, own }];
  };
  const server = env['PGHOST'] ?? '';
  const database: Lead[] =
    views === undefined || (server === '' && !env['PGPORT'])
      ? []
      : [
          {
            name: 'PGHOST and PGPORT',
            is: `${server || '127.0.0.1'}:${env['PGPORT'] || '5432'}`,
            should: `${views.host}:${views.port}`,
            own: false,
          },
        ];
  const wrong = [
    // `forge generate events` follows this one too.
    ...lead('KAFKA_BOOTSTRAP_SERVERS', at('kafka'), true),
    ...lead('ICEBERG_REST_URI', at('catalog'), true),
    ...lead('FLINK_URL', at('flink'), true),
    ...lead('AWS_ENDPOINT_URL', at('localstack'), false),
    ...database,
  ].filter(({ name, is, should, own }) => {
    if (plain(is) === plain(should)) return false;
    // Both engines have PostgreSQL beside them: who asks for that means it.
    if (name.startsWith('PG') && known.has(plain(is))) return false;
    // Other work of the same person has such variables too, for servers elsewhere.
    return own || isLoopback(is);
  });
  if (wrong.length === 0) return [];
  return [
    {
      title: 'Variables of this shell lead past the stack',
      cause: wrong.map(({ name, is, should }) => `${name} is ${masked(is)}, and the stack is at ${should}`).join('; '),
      remedy: 'eval "$(forge env)" in this shell, or unset them',
    },
  ];
}

const USER_INFO = /\/\/[^@/\s]*@/;

const plain = (address: string): string =>
  address
    .trim()
    .toLowerCase()
    .replace(/\/+$/, '')
    .replace(USER_INFO, '//')
    .replace(/(^|\/\/)(localhost|\[::1\])(?=[:/]|$)/, '$1127.0.0.1');

const isLoopback = (address: string): boolean => /(^|\/\/)127\./.test(plain(address));

const masked = (address: string): string => address.replace(USER_INFO, '//***@');
