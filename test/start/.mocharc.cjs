// `npm start` itself: `npm test -- --only start`.
module.exports = { ...require('../web/.mocharc.cjs'), spec: ['test/start/**/*.test.ts'] };
