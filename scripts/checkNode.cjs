// Loaded before every script (`node -r`), so it has to be readable by any Node, however old.
'use strict';

var needed = [20, 19];
var found = process.versions.node.split('.').map(Number);
if (found[0] < needed[0] || (found[0] === needed[0] && found[1] < needed[1])) {
  console.error(
    'IOPTE Inspector needs Node.js ' +
      needed.join('.') +
      ' or newer; this is ' +
      process.version +
      ' (' +
      process.execPath +
      ').\nInstall a newer one from https://nodejs.org or with your version manager, then run the command again.',
  );
  process.exit(1);
}
