/** Messages with tensors as bytes, for the sockets between the main process and its fronts: the frames that replica processes are sent. */
import { FrameReader, frameOf } from '@equipoise/adapter-embedded';
import type { TensorFrames } from '@equipoise/runtime';

/** Writes and reads frames. */
export const tensorFrames: TensorFrames = { frameOf, reader: (onFrame) => new FrameReader(onFrame) };
