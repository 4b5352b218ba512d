'use strict';

// Bundles: the extension for both hosts, the engine's worker for both, the command line, and the webviews.
// `--env tests` builds the suites that run inside VS Code instead.
const { chmodSync, readdirSync, readFileSync, utimesSync } = require('node:fs');
const path = require('node:path');
const YAML = require('yaml');
const webpack = require('webpack');

const from = (file) => path.resolve(__dirname, file);

/** An entry whose exports VS Code takes with `require`. */
const required = (file) => ({ import: from(file), library: { type: 'commonjs2' } });
/** An entry that is a program of its own. */
const program = (file) => ({ import: from(file) });

/** Makes the command line a program that a shell starts by its name. */
class Executable {
  constructor(file) {
    this.file = file;
  }

  apply(compiler) {
    new webpack.BannerPlugin({ banner: '#!/usr/bin/env node', raw: true, test: this.file }).apply(compiler);
    compiler.hooks.assetEmitted.tap('Executable', (name, { targetPath }) => {
      if (name === this.file) chmodSync(targetPath, 0o755);
    });
  }
}

/** A bundle that came out the same is not written again; its time tells nevertheless that it is of now. */
const dated = {
  apply(compiler) {
    let began = 0;
    compiler.hooks.compile.tap('dated', () => (began = Date.now() / 1000));
    compiler.hooks.afterEmit.tap('dated', ({ assets }) => {
      for (const name of Object.keys(assets)) utimesSync(path.join(compiler.outputPath, name), began, began);
    });
  },
};

/** The scenarios of samples/, which not every host of the extension can list. */
const shipped = new webpack.DefinePlugin({
  SHIPPED_SCENARIOS: webpack.DefinePlugin.runtimeValue(
    () =>
      JSON.stringify(
        readdirSync(from('samples'), { recursive: true, encoding: 'utf8' })
          .filter((file) => file.endsWith('.iopte.yaml'))
          .map((file) => file.replaceAll(path.sep, '/'))
          .sort((one, other) => one.split('/').length - other.split('/').length || (one < other ? -1 : 1))
          .map((file) => ({
            path: file,
            title: YAML.parse(readFileSync(from(`samples/${file}`), 'utf8')).title,
          })),
      ),
    { contextDependencies: [from('samples')] },
  ),
});

const bundle = (mode, name, target, folder, entry, more = {}) => ({
  name,
  mode,
  target,
  context: __dirname,
  entry,
  output: { path: from(folder), filename: '[name].js', chunkFormat: false },
  // Source maps would show the package's users nothing that the repository does not.
  devtool: mode === 'production' ? false : 'source-map',
  externals: { vscode: 'commonjs vscode', mocha: 'commonjs mocha' },
  node: { __dirname: false, __filename: false },
  resolve: { extensions: ['.ts', '.js'] },
  module: {
    // Every bundle is one file: a worker or a webview cannot fetch a second one.
    parser: { javascript: { dynamicImportMode: 'eager' } },
    rules: [
      {
        test: /\.ts$/,
        exclude: /node_modules/,
        loader: 'ts-loader',
        options: {
          transpileOnly: true, // `npm run types` checks
          configFile: from('tsconfig.base.json'),
          compilerOptions: { composite: false, declaration: false, emitDeclarationOnly: false },
        },
      },
    ],
  },
  optimization: { splitChunks: false, runtimeChunk: false },
  plugins: [dated, shipped],
  performance: { hints: false }, // the package's test checks sizes
  ...more,
});

const product = (mode) => [
  bundle(
    mode,
    'node',
    'node20',
    'dist',
    {
      extension: required('src/host/node/extension.ts'),
      engineWorker: program('src/inspection/worker/engineWorker.ts'), // of the browser too
      cli: program('src/cli/main.ts'),
    },
    {
      plugins: [new Executable('cli.js'), dated, shipped],
      // Their builds for Node look for its modules when they are loaded, which a browser has not; nothing here uses them.
      resolve: {
        extensions: ['.ts', '.js'],
        alias: { fflate$: 'fflate/browser', yaml$: from('node_modules/yaml/browser/index.js') },
      },
    },
  ),
  bundle(mode, 'worker', 'webworker', 'dist/web', {
    extension: required('src/host/web/extension.ts'),
  }),
  bundle(mode, 'webview', 'web', 'dist/webview', {
    entry: program('src/webview/entry/main.ts'),
    results: program('src/webview/results/main.ts'),
    trace: program('src/webview/trace/main.ts'),
  }),
];

const tests = (mode) => [
  bundle(mode, 'tests-node', 'node20', 'out/host-tests', { node: required('test/host/index.node.ts') }),
  bundle(
    mode,
    'tests-web',
    'webworker',
    'out/host-tests',
    { web: required('test/host/index.web.ts') },
    { externals: { vscode: 'commonjs vscode' } },
  ),
];

module.exports = (env, { mode = 'production' }) => (env.tests ? tests : product)(mode);
