/** Ports are named by what is spoken there: service meshes and Seldon read the names. */
export const portName = (scheme: string): 'grpc' | 'http' => (scheme.startsWith('grpc') ? 'grpc' : 'http');
