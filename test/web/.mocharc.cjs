// The workbench in a real browser. Needs dist/ and the VS Code host: `npm test -- --only browser` makes both.
module.exports = {
  require: ['tsx/cjs'],
  spec: ['test/web/**/*.test.ts'],
  timeout: 60_000,
  slow: 20_000,
  reporter: require.resolve('../../scripts/lib/lineReporter.cjs'),
};
