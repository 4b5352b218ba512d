// Unit and conformance tests: plain Node, TypeScript through tsx. In-host and browser tests have runners of their own.
module.exports = {
  require: ['tsx/cjs'],
  spec: ['test/unit/**/*.test.ts', 'test/conformance/**/*.test.ts'],
  timeout: 20_000,
  reporter: 'spec',
};
