import type { AttemptRef } from "../../consumer/work-order.ts";
import type { Amount } from "./amount.ts";

/** Names one call of an attempt: `call` counts from 0 whatever the attempt asks to hold, granted or not, billed or not. Every entry of the ledger carries it. */
export interface CallRef extends AttemptRef {
  call: number;
}

/** What is held for a call that may bill. */
export interface Reservation extends CallRef, Amount {
  /** The UTC day (Unix ms / 86,400,000) that it counts to. */
  day: number;
  /** When it is settled in full if nobody reports (Unix ms); null while its attempt lives. */
  expiresAt: number | null;
}

/** By task: a task's attempts have few calls. */
export type Reservations = Map<number, Reservation[]>;

export function nameCall({ task, attempt, call }: CallRef): string {
  return `${task}.${attempt}.${call}`;
}

/** The name alone of what carries one. */
export function callRefOf({ task, attempt, call }: CallRef): CallRef {
  return { task, attempt, call };
}

export function findReservation(reservations: Reservations, ref: CallRef): Reservation | undefined {
  return reservations.get(ref.task)?.find(({ attempt, call }) => attempt === ref.attempt && call === ref.call);
}

export function addReservation(reservations: Reservations, reservation: Reservation): void {
  const known = reservations.get(reservation.task);
  if (known === undefined) reservations.set(reservation.task, [reservation]);
  else known.push(reservation);
}

/** Takes a reservation out; null when there is none. */
export function takeReservation(reservations: Reservations, ref: CallRef): Reservation | null {
  const found = findReservation(reservations, ref);
  if (found === undefined) return null;
  const rest = reservations.get(ref.task)!.filter((reservation) => reservation !== found);
  if (rest.length === 0) reservations.delete(ref.task);
  else reservations.set(ref.task, rest);
  return found;
}
