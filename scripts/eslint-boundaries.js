import path from 'node:path';

/**
 * The layers, from the top: a file imports from its own folder and from layers with a smaller number, never upwards and
 * never sideways. What may not be imported by a folder at all is listed in LIBRARIES.
 */
export const LAYERS = {
  commands: 9,
  'src/cli': 8,
  'src/lifecycle': 7,
  'src/playbook': 6,
  'src/doctor': 6,
  'src/dashboard': 6,
  'src/modules': 5,
  'src/components': 4,
  'src/runtimes': 3,
  'src/engines': 3,
  'src/generator': 3,
  'src/clients': 2,
  'src/workspace': 1,
  'src/config': 0,
  'src/errors.ts': -1,
};

/** The files that may import a library: one place each. `lazy` ones only as `await import()`, or as a type. */
export const LIBRARIES = {
  execa: { in: /^src\/clients\/exec\.ts$/, lazy: true },
  kafkajs: { in: /^src\/clients\/kafka[\w-]*\.ts$/, lazy: true },
  pg: { in: /^src\/clients\/postgresql\.ts$/, lazy: true },
  '@kubernetes/client-node': { in: /^src\/clients\/kubernetes[\w-]*\.ts$/, lazy: true },
  aws4: { in: /^src\/clients\/s3\.ts$/, lazy: true },
  listr2: { in: /^src\/cli\/render-listr\.ts$/, lazy: false },
  '@inquirer/prompts': { in: /^src\/cli\//, lazy: true },
  '@oclif/core': { in: /^(src\/cli|commands)\//, lazy: false },
};

const layerOf = (file) => Object.keys(LAYERS).find((layer) => file === layer || file.startsWith(`${layer}/`));
const posix = (file) => file.split(path.sep).join('/');

const rule = {
  meta: {
    type: 'problem',
    schema: [],
    messages: {
      layer: '{{from}} may not import from {{to}}: imports point down (docs/architecture.md).',
      library: '{{name}} is imported in one place only: {{place}}.',
      lazy: '{{name}} takes long to load: use `await import()` where it is needed, or import its types only.',
    },
  },
  create(context) {
    const file = posix(path.relative(context.cwd, context.filename));
    const from = layerOf(file);
    if (from === undefined) return {};

    const check = (node, source, isStaticValue) => {
      if (typeof source !== 'string') return;
      if (source.startsWith('.')) {
        const target = posix(path.join(path.dirname(file), source)).replace(/\.js$/, '.ts');
        const to = layerOf(target);
        if (to !== undefined && to !== from && LAYERS[to] >= LAYERS[from]) context.report({ node, messageId: 'layer', data: { from, to } });
        return;
      }
      const name = Object.keys(LIBRARIES).find((library) => source === library || source.startsWith(`${library}/`));
      if (name === undefined) return;
      const library = LIBRARIES[name];
      if (!library.in.test(file)) context.report({ node, messageId: 'library', data: { name, place: library.in.source } });
      else if (library.lazy && isStaticValue) context.report({ node, messageId: 'lazy', data: { name } });
    };
    const isValue = (node) =>
      node.importKind !== 'type' && !(node.specifiers.length > 0 && node.specifiers.every((one) => one.importKind === 'type'));

    return {
      ImportDeclaration: (node) => check(node, node.source.value, isValue(node)),
      ExportNamedDeclaration: (node) => node.source && check(node, node.source.value, node.exportKind !== 'type'),
      ExportAllDeclaration: (node) => check(node, node.source.value, node.exportKind !== 'type'),
      ImportExpression: (node) => check(node, node.source.value, false),
      TSImportType: (node) => check(node, node.source?.value ?? node.argument?.literal?.value, false),
    };
  },
};

export const plugin = { meta: { name: 'forge' }, rules: { boundaries: rule } };
