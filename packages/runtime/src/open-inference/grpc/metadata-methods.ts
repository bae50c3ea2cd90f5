/** Metadata of the server and of what it serves over gRPC. */
import { grpcMethods, readMessage, writeGrpcMetadata, writeMessage } from '@equipoise/open-inference-codec';
import { metadataOf, serverMetadataOf } from '../served-metadata.js';
import { type GrpcMethod, refuseVersion } from './grpc-method.js';

/** Name and version of the server. */
export function serverMetadata(version: string): GrpcMethod {
  const { extensions, ...named } = serverMetadataOf(version);
  return () => writeMessage(grpcMethods.serverMetadata.output, { ...named, extensions: [...extensions] });
}

/** Of a pipeline, or of a stage by `PIPELINE.STAGE`. */
export const modelMetadata: GrpcMethod = (message, call) => {
  const { name, version } = readMessage(grpcMethods.modelMetadata.input, message);
  const metadata = metadataOf(call.pipelines, name);
  refuseVersion(name, version);
  return writeGrpcMetadata(metadata);
};
