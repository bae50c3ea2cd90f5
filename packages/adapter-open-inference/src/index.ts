export * from './client/inference-client.js';
export { openInferenceClient } from './client/open-inference-client.js';
export { type CommandLimits, CommandReplicaLauncher } from './command/command-replica-launcher.js';
export { RemoteReplicaLauncher, type ResolveName, serverAddresses } from './replica/remote-replica-launcher.js';
export type { ServerLimits } from './replica/start-server-runner.js';
