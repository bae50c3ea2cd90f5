/** What is wrong with a replica: its batches fail as wholes, it is slow against its stage's curve and its peers, or it does not answer. */
export type ReplicaTrouble = 'failing' | 'slow' | 'hung';
