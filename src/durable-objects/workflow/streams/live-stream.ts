/** Where a stream stands; of a socket it is kept over hibernation. */
export interface StreamState {
  /** The seq of the last event that was sent. */
  after: number;
  /** The key that opened it, itself or by a stream token; null: the root key. */
  keyId: string | null;
}

/** A token delta as live streams show it: no seq, never stored. */
export interface DeltaFrame {
  type: "task.delta";
  taskId: string;
  at: string;
  data: { text: string; attempt: number };
}
