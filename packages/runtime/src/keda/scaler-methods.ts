/**
 * Unary methods of an external scaler. The metric is the number of wanted replicas and its target is 1, so the autoscaler, which divides one by
 * the other, arrives at that number. Numbers are sent as integer and float, because older versions of KEDA read the integer only.
 */
import { grpcPath, readMessage, writeMessage } from '@equipoise/open-inference-codec';
import { ExternalScaler } from './external-scaler.gen.js';
import { type ScaledPipeline, wantedOf } from './scaled-part.js';

const METRIC_NAME = 'desired-replicas';

const { isActive, getMetricSpec, getMetrics } = ExternalScaler.method;

/** From the bytes of a request to those of its answer. */
export type ScalerMethod = (message: Uint8Array) => Uint8Array;

/** Methods by path. */
export function scalerMethods(pipeline: ScaledPipeline): ReadonlyMap<string, ScalerMethod> {
  return new Map<string, ScalerMethod>([
    [
      grpcPath(isActive),
      (message) =>
        writeMessage(isActive.output, { result: wantedOf(pipeline, readMessage(isActive.input, message)) > 0 }),
    ],
    [
      grpcPath(getMetricSpec),
      (message) => {
        // Refuses wrong metadata before KEDA makes an autoscaler.
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
