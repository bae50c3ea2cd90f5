import type { PipelineSpec } from '../model/pipeline-spec.js';
import type { PayloadAlgebra } from '../serve/graph-walk.js';

/** Paths of simulated requests through the graph. A payload is a key, from which fan-outs and branches follow. */
export interface RequestPaths extends PayloadAlgebra<number, undefined> {
  /** Key of a request. `parts`: sources that the request has. Its walk begins before the next request. */
  request(sequence: number, parts?: readonly boolean[]): number;
  /** Key of what a stage (its index) makes of an input. */
  output(stage: number, key: number): number;
  /** Later outputs follow the edges of another spec, unless their paths are known. */
  follow(spec: PipelineSpec): void;
}
