import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

/** Names that Node gives to every script; written out so that no package is needed for them. */
const nodeGlobals = Object.fromEntries(
  [
    'AbortController',
    'AbortSignal',
    'Buffer',
    'URL',
    'clearInterval',
    'clearTimeout',
    'console',
    'document',
    'fetch',
    'getComputedStyle',
    'performance',
    'process',
    'setInterval',
    'setTimeout',
    'window',
  ].map((name) => [name, 'readonly']),
);
const commonJsGlobals = { ...nodeGlobals, require: 'readonly', module: 'writable', __dirname: 'readonly' };

const everywhere = {
  eqeqeq: 'error',
  'no-console': 'off',
  'max-lines': ['error', { max: 600, skipBlankLines: false, skipComments: false }],
  'prefer-const': 'error',
  'object-shorthand': 'error',
};

export default tseslint.config(
  {
    ignores: [
      'node_modules',
      'dist',
      'out',
      'coverage',
      'shots',
      '.cache',
      '.vscode-test',
      'test/fixtures',
      'samples',
    ],
  },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.ts'],
    extends: [
      eslint.configs.recommended,
      tseslint.configs.strictTypeChecked,
      tseslint.configs.stylisticTypeChecked,
    ],
    languageOptions: {
      parserOptions: { project: ['tsconfig.lint.json'], tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      ...everywhere,
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // Masks and shifts of 32-bit words read best with the constant in plain sight.
      '@typescript-eslint/prefer-literal-enum-member': ['error', { allowBitwiseExpressions: true }],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/cli/**'],
    // The output channel is the extension's log; the command line is the only part that prints.
    rules: { 'no-console': 'error' },
  },
  {
    files: ['src/inspection/web/inProcess.ts'],
    // The one place that evaluates text: that of a file of the package itself, where no worker may run it.
    rules: { '@typescript-eslint/no-implied-eval': 'off' },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      // mocha's `describe` and `it` return nothing that has to be awaited; assertions narrow with `ok`.
      '@typescript-eslint/no-unused-expressions': 'error',
    },
  },
  {
    files: ['**/*.mjs'],
    extends: [eslint.configs.recommended],
    languageOptions: { ecmaVersion: 2023, sourceType: 'module', globals: nodeGlobals },
    rules: everywhere,
  },
  {
    files: ['**/*.cjs', '*.js', 'media/**/*.js'],
    extends: [eslint.configs.recommended],
    languageOptions: { ecmaVersion: 2023, sourceType: 'commonjs', globals: commonJsGlobals },
    rules: everywhere,
  },
);
