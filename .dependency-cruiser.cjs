'use strict';

// Who may import whom, from the ground up:
//   engine < bytes < trace, image, explorer (which do not know each other) < scenario < inspection < host, webview, cli
// The last three know the inspection's protocol and nothing deeper; those that start one also know its platform part.

const room = (...names) => `^src/(${names.join('|')})/`;
const protocol = '^src/inspection/protocol\\.ts$';
/** Pure data that a view and the host send each other; no DOM. */
const messages = '^src/webview/messages/';

/** Everything of ours except the given patterns is out of reach for `from`. */
const only = (name, comment, from, ...allowed) => ({
  name,
  comment,
  severity: 'error',
  from: typeof from === 'string' ? { path: from } : from,
  to: { path: '^(src|test|bench|scripts)/', pathNot: allowed },
});

module.exports = {
  forbidden: [
    only('engine-alone', 'The engine imports nothing of ours.', room('engine'), room('engine')),
    only('kernel-alone', 'The kernel is bound by the engine.', room('kernel'), room('kernel')),
    only(
      'bytes-on-engine',
      'Bytes of any file, and how they are unpacked.',
      room('bytes'),
      room('bytes', 'engine'),
    ),
    only('trace-on-engine', 'Traces stand on the engine.', room('trace'), room('trace', 'bytes', 'engine')),
    only(
      'image-on-engine',
      'Image readers stand on the engine.',
      room('image'),
      room('image', 'bytes', 'engine'),
    ),
    only(
      'explorer-on-engine',
      'The explorer stands on the engine.',
      room('explorer'),
      room('explorer', 'engine'),
    ),
    only(
      'scenario-below-inspection',
      'Scenarios use the engine, traces and the explorer.',
      room('scenario'),
      room('scenario', 'engine', 'bytes', 'trace', 'explorer', 'image'),
    ),
    only(
      'inspection-below-products',
      'The inspection does not know who asks it.',
      room('inspection'),
      room('inspection', 'scenario', 'engine', 'bytes', 'trace', 'explorer', 'image'),
    ),
    only(
      'pure-inspection',
      'The pure part of the inspection does not know its platforms.',
      { path: room('inspection'), pathNot: '^src/inspection/(node|web|worker)/' },
      '^src/inspection/[^/]+\\.ts$',
      '^src/inspection/(?!node/|web/|worker/)',
      room('scenario', 'engine', 'bytes', 'trace', 'explorer', 'image'),
    ),
    {
      name: 'platforms-apart',
      comment: 'What runs in Node and what runs in a browser do not know each other.',
      severity: 'error',
      from: { path: '^src/(inspection|host)/(node|web)/' },
      to: { path: '^src/(inspection|host)/(node|web)/', pathNot: '^src/(inspection|host)/$2/' },
    },
    only(
      'host-knows-protocol',
      'The host knows the protocol; its two entries may start an inspection.',
      { path: room('host'), pathNot: '^src/host/(node|web)/' },
      '^src/host/(?!node/|web/)',
      protocol,
      messages,
    ),
    only(
      'host-entries',
      'The entries of the two hosts start the inspection of their platform.',
      '^src/host/(node|web)/',
      room('host'),
      protocol,
      '^src/inspection/(node|web)/',
    ),
    only('webview-knows-protocol', 'Webviews know the protocol.', room('webview'), room('webview'), protocol),
    only(
      'cli-knows-protocol',
      'The command line knows the protocol and starts an inspection.',
      room('cli'),
      room('cli'),
      protocol,
      '^src/inspection/node/',
    ),
    {
      name: 'vscode-in-host',
      comment: 'Only the host imports vscode.',
      severity: 'error',
      from: { path: '^src/', pathNot: room('host') },
      to: { path: '(^|/)vscode(/|$)' },
    },
    {
      name: 'engine-without-packages',
      comment: 'The engine needs no package.',
      severity: 'error',
      from: { path: room('engine', 'kernel') },
      to: {
        dependencyTypes: ['npm', 'npm-dev', 'npm-peer', 'npm-optional', 'npm-no-pkg', 'npm-unknown', 'core'],
      },
    },
    {
      name: 'node-only-where-node-is',
      comment:
        'Node is imported where Node runs: the command line and the Node parts of inspection and host.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/(inspection|host)/node/', room('cli')] },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'no-tools-in-product',
      comment: 'The product does not use what only its makers install.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], pathNot: '(^|/)@types/|^vscode$' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: { path: '^src/' },
      to: { couldNotResolve: true, pathNot: '^vscode$' },
    },
    {
      name: 'product-without-tests',
      comment: 'No product code imports a test, a benchmark or a script.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|bench|scripts)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js'], mainFields: ['module', 'main', 'types'] },
  },
};
