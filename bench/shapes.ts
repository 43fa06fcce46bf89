/** A workload: tasks in layers, each task after all of the layer before. The same widths run with an engine and without. */
export interface Shape {
  name: string;
  widths: readonly number[];
}

export const FAN_OUT: Shape = { name: "fan-out of 100", widths: [1, 100, 1] };
export const CHAIN: Shape = { name: "chain of 20", widths: Array.from({ length: 20 }, () => 1) };
export const DIAMOND: Shape = { name: "diamond of 5", widths: [1, 3, 1] };

export interface LayeredTask {
  id: string;
  dependsOn: string[];
}

/** The tasks of a shape; ids are `{layer}-{number}`. */
export function listTasks(widths: readonly number[]): LayeredTask[] {
  return widths.flatMap((width, layer) => {
    const before = layer === 0 ? 0 : widths[layer - 1]!;
    const dependsOn = Array.from({ length: before }, (_, number) => `${layer - 1}-${number}`);
    return Array.from({ length: width }, (_, number) => ({ id: `${layer}-${number}`, dependsOn }));
  });
}

/** A workflow as the API takes it. */
export function specOf(widths: readonly number[], agent: string, maxConcurrency = 100): object {
  return { tasks: listTasks(widths).map((task) => ({ ...task, agent, input: { text: "ping" } })), maxConcurrency };
}
