/**
 * The direction rules of ARCHITECTURE.md: between packages, and inside core along the flow of a decision.
 * A test may use what its own package may use, and the testkit; inside core a test may use every folder.
 */
const { existsSync, readdirSync, readFileSync } = require('node:fs');
const path = require('node:path');

const TEST = '\\.test(-support)?\\.ts$';

/** What each package may import from the others. An adapter without a line of its own is named by the pattern. */
const PACKAGES = {
  core: [],
  'pipeline-file': ['core'],
  'open-inference-codec': ['core'],
  runtime: ['core', 'pipeline-file', 'open-inference-codec'],
  'adapter-open-inference': ['core', 'open-inference-codec'],
  'adapter-kubernetes': ['core', 'pipeline-file'],
  'adapter-(?!(?:open-inference|kubernetes)/)[^/]+': ['core'],
  app: ['core', 'dashboard', 'pipeline-file', 'runtime', 'adapter-[^/]+'],
  dashboard: ['core'],
  testkit: ['core'],
};

/** What each folder of core may import from the others. */
const CORE_FOLDERS = {
  kernel: [],
  model: ['kernel'],
  ports: ['kernel', 'model'],
  profile: ['kernel', 'model', 'ports'],
  history: ['kernel', 'model', 'profile'],
  estimate: ['kernel', 'model', 'ports', 'profile'],
  optimize: ['kernel', 'model', 'ports', 'profile', 'estimate'],
  evaluate: ['kernel', 'model', 'ports', 'profile', 'estimate'],
  forecast: ['kernel', 'model', 'ports'],
  serve: ['kernel', 'model', 'ports'],
  simulate: ['kernel', 'model', 'ports', 'profile', 'estimate', 'serve', 'history'],
  control: ['kernel', 'model', 'ports', 'profile', 'estimate', 'optimize', 'forecast', 'serve', 'simulate', 'history'],
  diagnose: ['kernel', 'model', 'profile', 'estimate', 'optimize', 'simulate', 'history', 'control'],
};

const packagePath = (name) => `^packages/${name}/`;
const corePath = (name) => `^packages/core/src/${name}/`;
const anyOf = (patterns) => patterns.join('|');
const UNKNOWN_CORE_FOLDER = `^packages/core/src/(?!(${anyOf(Object.keys(CORE_FOLDERS))})/)[^/]+/`;

/** The source files that the packages' `exports` name: the only doors between packages. */
const doors = readdirSync('packages')
  .map((name) => path.posix.join('packages', name))
  .filter((folder) => existsSync(path.join(folder, 'package.json')))
  .flatMap((folder) => {
    const { exports: entries = {} } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
    const sources = Object.values(entries).map((entry) => entry['equipoise-source']);
    return sources.filter((source) => source !== undefined).map((source) => path.posix.join(folder, source));
  });

const packageRules = Object.entries(PACKAGES).map(([name, allowed]) => ({
  name: `package-${name.replace(/-\(.*/, '')}`,
  comment: `packages/${name} may import: ${['itself', ...allowed].join(', ')}.`,
  severity: 'error',
  from: { path: `^packages/(${name})/` },
  to: { path: '^packages/', pathNot: anyOf(['^packages/$1/', '^packages/testkit/', ...allowed.map(packagePath)]) },
}));

const coreRules = Object.entries(CORE_FOLDERS).map(([name, allowed]) => ({
  name: `core-${name}`,
  comment: `core/src/${name} may import: ${['itself', ...allowed].join(', ')}.`,
  severity: 'error',
  from: { path: corePath(name), pathNot: TEST },
  to: { path: '^packages/core/', pathNot: anyOf([name, ...allowed].map(corePath)) },
}));

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-unresolvable',
      comment: 'Every import leads to a file that exists.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-orphans',
      comment: 'A source file that nothing imports and that imports nothing; fixtures are loaded by path.',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', orphan: true, pathNot: '\\.d\\.ts$|/fixtures/' },
      to: {},
    },
    {
      name: 'core-has-no-dependencies',
      comment: 'Core decides: no package, no Node module.',
      severity: 'error',
      from: { path: '^packages/core/src/', pathNot: TEST },
      to: { pathNot: '^packages/core/src/' },
    },
    ...coreRules,
    ...[
      { from: { path: UNKNOWN_CORE_FOLDER }, to: {} },
      { from: {}, to: { path: UNKNOWN_CORE_FOLDER } },
    ].map((ends) => ({
      name: 'core-folders-are-known',
      comment: 'A new folder of core needs a line in CORE_FOLDERS.',
      severity: 'error',
      ...ends,
    })),
    ...packageRules,
    {
      name: 'packages-are-known',
      comment: 'A new package needs a line in PACKAGES.',
      severity: 'error',
      from: { path: `^packages/(?!(${anyOf(Object.keys(PACKAGES))})/)` },
      to: {},
    },
    {
      name: 'packages-meet-at-their-exports',
      comment:
        'Another package is entered through the files that its package.json exports. Scripts and benchmarks, which do not ship, may look inside.',
      severity: 'error',
      from: { path: '^(packages/[^/]+|examples/[^/]+)/' },
      to: { path: '^packages/', pathNot: anyOf(['^$1/', ...doors.map((file) => `^${file}$`)]) },
    },
    {
      name: 'dashboard-imports-types-only',
      comment: 'The page speaks the admin API; from core it takes types.',
      severity: 'error',
      from: { path: '^packages/dashboard/', pathNot: TEST },
      to: { path: '^packages/core/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'testkit-from-tests-only',
      severity: 'error',
      from: { path: '^(packages/(?!testkit/)|examples/)', pathNot: TEST },
      to: { path: '^packages/testkit/' },
    },
    {
      name: 'source-imports-no-tests',
      comment: 'Benchmarks may: they measure against the same oracles.',
      severity: 'error',
      from: { pathNot: [TEST, '^benchmarks/'] },
      to: { path: TEST },
    },
    {
      name: 'no-development-dependencies-in-source',
      comment:
        'What a package runs on stands in its own dependencies. The dashboard runs in browsers, from built files.',
      severity: 'error',
      from: { path: '^(packages|examples)/[^/]+/', pathNot: [TEST, '^packages/dashboard/'] },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'nobody-imports-examples-or-scripts',
      severity: 'error',
      from: { path: '^packages/' },
      to: { path: '^(examples|benchmarks|scripts)/' },
    },
    {
      name: 'examples-do-not-import-app',
      comment: 'An example is what a user writes: stage modules on top of core and an adapter.',
      severity: 'error',
      from: { path: '^examples/', pathNot: TEST },
      to: { path: '^packages/(app|runtime|pipeline-file)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|\\.equipoise)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['equipoise-source', 'import', 'node', 'types', 'default'],
      extensions: ['.ts', '.tsx', '.js', '.css', '.d.ts'],
    },
  },
};
