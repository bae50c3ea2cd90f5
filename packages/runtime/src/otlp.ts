/** Entry `@equipoise/runtime/otlp`: the exporter of traces, loaded only if a server exports them. */
export { OtlpExporter, type OtlpOptions, withoutQuery } from './trace/otlp/otlp-exporter.js';
