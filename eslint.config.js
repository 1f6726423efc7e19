import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';
import { plugin as forge } from './scripts/eslint-boundaries.js';

const SOURCES = ['src/**/*.ts', 'commands/**/*.ts'];

/** Import directions, one place per library, one writer to the terminal; without type information, so that a test can run them alone. */
export const boundaries = [
  {
    files: SOURCES,
    languageOptions: { parser: tseslint.parser },
    plugins: { forge },
    rules: {
      'forge/boundaries': 'error',
      'no-console': 'error',
      'no-restricted-syntax': [
        'error',
        {
          selector: "MemberExpression[object.name='process'][property.name=/^(stdout|stderr)$/]",
          message: 'Only src/cli writes to stdout and stderr: return a result, or take a callback.',
        },
        {
          selector: "CallExpression[callee.object.name='process'][callee.property.name='exit']",
          message: 'Throw a ForgeError: the base command ends the process with its exit code.',
        },
        { selector: 'ExportDefaultDeclaration', message: 'Use a named export.' },
      ],
    },
  },
  {
    files: ['src/cli/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', { selector: 'ExportDefaultDeclaration', message: 'Use a named export.' }] },
  },
  {
    // oclif finds commands and hooks by their default export.
    files: ['commands/**/*.ts', 'src/cli/hooks/*.ts'],
    rules: { 'no-restricted-syntax': 'off' },
  },
];

export default defineConfig(
  { ignores: ['dist/', 'dist.*/', 'coverage/', '.forge/', 'schemas/'] },
  ...boundaries,
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.test.json', tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: 'error',
      'prefer-const': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // Numbers and booleans read well in messages; objects do not, and stay forbidden.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/require-await': 'off',
      // The index is known to be good more often than the type checker sees.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // `=> void x` says that a result is not wanted.
      '@typescript-eslint/no-meaningless-void-operator': 'off',
      // Names and digits are what is spread, never emojis.
      '@typescript-eslint/no-misused-spread': 'off',
      // The signal of an abort is rethrown as it is.
      '@typescript-eslint/only-throw-error': ['error', { allowThrowingUnknown: true }],
    },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      // A test may look at what it likes, in the way that fails best.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-dynamic-delete': 'off',
      '@typescript-eslint/no-base-to-string': 'off',
    },
  },
);
