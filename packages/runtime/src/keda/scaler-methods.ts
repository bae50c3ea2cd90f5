/**
 * The unary methods of an external scaler. The metric is the number of replicas wanted and its target 1, so that the autoscaler that KEDA
 * makes, which divides one by the other, comes to that number. Each number is told in both forms of the contract, for older KEDAs read the
 * integer alone.
 */
import { grpcPath, readMessage, writeMessage } from '@equipoise/open-inference-codec';
import type { GrpcMethod } from '../open-inference/grpc/grpc-method.js';
import { ExternalScaler } from './external-scaler.gen.js';
import { type ScaledPipeline, wantedOf } from './scaled-part.js';

const METRIC_NAME = 'desired-replicas';

const { isActive, getMetricSpec, getMetrics } = ExternalScaler.method;

/** The methods by their paths. */
export function scalerMethods(pipeline: ScaledPipeline): ReadonlyMap<string, GrpcMethod> {
  return new Map<string, GrpcMethod>([
    [
      grpcPath(isActive),
      (message) =>
        writeMessage(isActive.output, { result: wantedOf(pipeline, readMessage(isActive.input, message)) > 0 }),
    ],
    [
      grpcPath(getMetricSpec),
      (message) => {
        // Said for a ScaledObject whose metadata are wrong, too: it is refused here, before there is an autoscaler.
        wantedOf(pipeline, readMessage(getMetricSpec.input, message));
        const target = { metricName: METRIC_NAME, targetSize: 1n, targetSizeFloat: 1 };
        return writeMessage(getMetricSpec.output, { metricSpecs: [target] });
      },
    ],
    [
      grpcPath(getMetrics),
      (message) => {
        const { scaledObjectRef } = readMessage(getMetrics.input, message);
        const wanted = wantedOf(pipeline, scaledObjectRef);
        const value = { metricName: METRIC_NAME, metricValue: BigInt(wanted), metricValueFloat: wanted };
        return writeMessage(getMetrics.output, { metricValues: [value] });
      },
    ],
  ]);
}
