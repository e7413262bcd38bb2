// Uploads FILE to ENDPOINT with tus-js-client in chunks, breaks off in the middle, and resumes from its URL storage
// as a page does after a reload. Prints one line of JSON.
//
//   node tus_js_resume.mjs ENDPOINT TOKEN FILE CHUNK_BYTES PARALLEL URL_STORAGE_FILE

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { FileUrlStorage, Upload } from "tus-js-client";

const [endpoint, token, file, chunkBytes, parallel, storage] = process.argv.slice(2);
const { size } = await stat(file);
const statuses = [];

function upload(onProgress) {
  return new Promise((resolve, reject) => {
    const parts = Number(parallel);
    const upload = new Upload(createReadStream(file), {
      endpoint,
      headers: { Authorization: `Bearer ${token}` },
      chunkSize: Number(chunkBytes),
      parallelUploads: parts > 1 ? parts : undefined,
      uploadSize: parts > 1 ? undefined : size,
      retryDelays: [0, 100, 500],
      metadata: { filename: basename(file), filetype: "video/mp4" },
      urlStorage: new FileUrlStorage(storage),
      storeFingerprintForResuming: true,
      removeFingerprintOnSuccess: true,
      onAfterResponse: (request, response) => {
        statuses.push(`${request.getMethod()} ${response.getStatus()}`);
      },
      onProgress: (sent, total) => onProgress(upload, sent, total, resolve),
      onError: reject,
      onSuccess: () => resolve(upload.url),
    });
    upload.findPreviousUploads().then((previous) => {
      if (previous.length > 0) upload.resumeFromPreviousUpload(previous[0]);
      upload.start();
    }, reject);
  });
}

let stopped = false;
await upload((running, sent, total, done) => {
  if (!stopped && sent > total / 2) {
    stopped = true;
    running.abort().then(() => done(null));
  }
});
if (!stopped) throw new Error("the first upload came to its end and was never broken off");
const before = statuses.length;
const url = await upload(() => {});
console.log(JSON.stringify({ url, first: statuses.slice(0, before), second: statuses.slice(before) }));
