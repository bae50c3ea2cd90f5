/** Purpose of each direct dependency, and the data sets and models of the repository. */
export const PURPOSES: Readonly<Record<string, string>> = {
  '@biomejs/biome': 'formatting and linting',
  '@bufbuild/protobuf': 'reading and writing the messages of gRPC',
  '@grpc/grpc-js': 'gRPC client',
  '@kubernetes/client-node': 'kubeconfig files and credentials of a cluster',
  '@marcbachmann/cel-js': 'the conditions of `when` (CEL)',
  '@types/cli-progress': 'TypeScript types of cli-progress',
  '@types/node': 'TypeScript types of Node',
  '@vitest/coverage-v8': 'test coverage',
  aws4fetch: 'signing requests to S3-compatible stores',
  'cli-progress': 'progress bars with the time left',
  'cli-table3': 'tables in the terminal',
  commander: 'the command line',
  'dependency-cruiser': 'rules for imports between packages and folders',
  esbuild: 'compiling the stage modules of users',
  'fast-check': 'property tests',
  highs: 'mixed-integer solver: test oracle of the planner in tests and benchmarks, not part of the product',
  'fastest-levenshtein': 'error rates of texts, and suggested spellings in error messages',
  knip: 'finding unused files, exports and dependencies',
  libsql: 'the embedded store',
  'onnxruntime-node': 'running ONNX models',
  picocolors: 'colors in the terminal',
  'prom-client': 'metrics in the format of Prometheus',
  sharp: 'decoding images in the example',
  tsx: 'running the scripts of the repository',
  typescript: 'TypeScript compiler',
  vega: 'plots in the report',
  'vega-lite': 'plots in the report',
  vitest: 'test runner',
  yaml: 'reading pipeline files with positions',
  zod: 'the schema of the pipeline file',
};

/** Rows: item, license, place. */
export const DATA_AND_MODELS: readonly (readonly string[])[] = [
  ['Fashion-MNIST garments, composed into scenes', 'MIT, © Zalando SE', '`examples/shelf-scan`'],
  ['Detectors and classifiers trained on these scenes', 'Apache-2.0', '`examples/shelf-scan`'],
];
