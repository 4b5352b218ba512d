// The packaged extension: `npm test -- --only package`.
module.exports = { ...require('../web/.mocharc.cjs'), spec: ['test/package/**/*.test.ts'] };
