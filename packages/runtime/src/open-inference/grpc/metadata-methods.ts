/** Metadata of the server and of what it serves over gRPC. */
import { grpcMethods, readMessage, writeGrpcMetadata, writeMessage } from '@equipoise/open-inference-codec';
import { metadataOf, serverMetadataOf } from '../served-metadata.js';
import { type GrpcMethod, pipelineOfVersion } from './grpc-method.js';

/** Name and version of the server. */
export function serverMetadata(version: string): GrpcMethod {
  const { extensions, ...named } = serverMetadataOf(version);
  return () => writeMessage(grpcMethods.serverMetadata.output, { ...named, extensions: [...extensions] });
}

/** Inputs as the pipeline file declares them, outputs as far as they have been seen. */
export const modelMetadata: GrpcMethod = (message, call) => {
  const { name, version } = readMessage(grpcMethods.modelMetadata.input, message);
  return writeGrpcMetadata(metadataOf(pipelineOfVersion(call, name, version)));
};
