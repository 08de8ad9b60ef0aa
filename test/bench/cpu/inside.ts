/**
 * inside CONVERSION SHORT LONG BURN WHERE: measures the CPU promises on a machine that it has for itself, one measurement
 * a line as JSON, progress as a JSON string.
 */
import type { Conversion } from '../../../node-daemonset/cpu/requests.ts';
import { measurePromises } from './promises.ts';

const [conversion, short, long, burn = '', where = ''] = process.argv.slice(2);
const say = (what: unknown): void => console.log(JSON.stringify(what));
const options = { prefix: '', conversion: conversion as Conversion, burn, signal: new AbortController().signal };
await measurePromises(where, options, { short: Number(short), long: Number(long) }, say, say);
