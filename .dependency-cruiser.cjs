/** The direction rules of ARCHITECTURE.md: between packages, and inside core along the flow of a decision. */
const coreFolder = (name) => `^packages/core/src/${name}/`;
const only = (name, from, allowed) => ({
  name,
  severity: 'error',
  from: { path: from, pathNot: '\\.test(-support)?\\.ts$' },
  to: { path: '^packages/', pathNot: allowed },
});
const coreMay = (folder, ...folders) =>
  only(`core-${folder}`, coreFolder(folder), [folder, ...folders].map(coreFolder));

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'core-has-no-dependencies',
      severity: 'error',
      from: { path: '^packages/core/src', pathNot: '\\.test(-support)?\\.ts$' },
      to: { pathNot: '^packages/core/src' },
    },
    coreMay('kernel'),
    coreMay('model', 'kernel'),
    coreMay('ports', 'kernel', 'model'),
    coreMay('profile', 'kernel', 'model', 'ports'),
    coreMay('estimate', 'kernel', 'model', 'ports', 'profile'),
    coreMay('optimize', 'kernel', 'model', 'ports', 'profile', 'estimate'),
    coreMay('forecast', 'kernel', 'model', 'ports'),
    coreMay('serve', 'kernel', 'model', 'ports'),
    coreMay('simulate', 'kernel', 'model', 'ports', 'profile', 'serve'),
    coreMay('control', 'kernel', 'model', 'ports', 'profile', 'estimate', 'optimize', 'forecast', 'simulate', 'serve'),
    only('pipeline-file-imports-core', '^packages/pipeline-file/', '^packages/(pipeline-file|core)/'),
    only('runtime-imports-no-adapter', '^packages/runtime/', '^packages/(runtime|core|pipeline-file)/'),
    only('adapters-import-core', '^packages/(adapter-[^/]+)/', ['^packages/$1/', '^packages/core/']),
    only('testkit-imports-core', '^packages/testkit/', '^packages/(testkit|core)/'),
    {
      name: 'only-app-imports-app',
      severity: 'error',
      from: { path: '^packages/(?!app/)' },
      to: { path: '^packages/app/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: { conditionNames: ['equipoise-source', 'import', 'node', 'types', 'default'], extensions: ['.ts', '.js', '.d.ts'] },
  },
};
