/** Example of the reference page; a test parses it. */
export const EXAMPLE_PIPELINE = `apiVersion: equipoise.dev/v1alpha1
kind: InferencePipeline
metadata: { name: shelf }
spec:
  slo: { latencyMs: 400, percentile: 99 }
  budget: { cpuCores: 8 }
  objective: max-accuracy
  sources:
    - { name: image, datatype: UINT8, shape: [112, 112], contentTypes: [image/png, image/jpeg], samples: ./samples }
  stages:
    - name: detect
      module: ./stages/detect.ts
      bounds: { replicas: { min: 1, max: 16 }, batchSizes: [1, 2, 4, 8] }
      variants:
        - name: small
          artifact: ./models/detect-small.onnx
          accuracy: { value: 0.61, metric: f1 }
          resources: { cpuCores: [0.5, 1], memoryBytes: 200000000 }
          profile:
            - { cpuCores: 1, batchSize: 1, meanMs: 20, p99Ms: 24 }
            - { cpuCores: 1, batchSize: 4, meanMs: 60, p99Ms: 70 }
        - name: large
          artifact: ./models/detect-large.onnx
          accuracy: { value: 0.74, metric: f1 }
          resources: { cpuCores: [1, 2], memoryBytes: 600000000 }
    - name: classify
      module: ./stages/classify.ts
      variants:
        - { name: mlp, artifact: ./models/classify-mlp.onnx, accuracy: { value: 0.72 } }
        - { name: cnn, artifact: ./models/classify-cnn.onnx, accuracy: { value: 0.87 } }
    - name: count
      kind: transform
      module: ./stages/count.ts
      variants: [{ name: count, resources: { cpuCores: 0.5 } }]
  edges:
    - { from: detect, to: classify, fanOut: { expected: 3 } }
    - { from: classify, to: count, join: all }
  control: { mode: auto, intervalMs: 10000 }
`;
