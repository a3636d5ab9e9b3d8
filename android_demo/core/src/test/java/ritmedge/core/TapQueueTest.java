package ritmedge.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
class TapQueueTest {
    private final List<String> done = Collections.synchronizedList(new ArrayList<>());
    private final List<String> errors = Collections.synchronizedList(new ArrayList<>());

    private TapQueue queue(CountDownLatch ended) {
        return new TapQueue((milliseconds, error) -> {
            if (error != null) errors.add(error.getClass().getSimpleName());
            ended.countDown();
        });
    }

    private void hold(TapQueue queue, CountDownLatch started, CountDownLatch release) {
        queue.command(() -> {
            started.countDown();
            try {
                release.await();
            } catch (InterruptedException error) {
                throw new IllegalStateException(error);
            }
        });
    }

    @Test
    void theLatestTapWinsAndCommandsAllRunInOrder() throws InterruptedException {
        CountDownLatch started = new CountDownLatch(1), release = new CountDownLatch(1), ended = new CountDownLatch(5);
        try (TapQueue queue = queue(ended)) {
            hold(queue, started, release);
            started.await();
            for (int i = 0; i < 3; i++) add(queue, "tap " + i, true);
            add(queue, "undo", false);
            add(queue, "undo", false);
            for (int i = 3; i < 6; i++) add(queue, "tap " + i, true);
            release.countDown();
            assertTrue(ended.await(10, TimeUnit.SECONDS));
            assertEquals(List.of("tap 2", "undo", "undo", "tap 5"), done);
            assertEquals(4, queue.dropped());
        }
    }

    private void add(TapQueue queue, String name, boolean tap) {
        if (tap) queue.tap(() -> done.add(name));
        else queue.command(() -> done.add(name));
    }

    @Test
    void theLatestDrawingRunsBeforeWhatWaitsAndIsNotToldOf() throws InterruptedException {
        CountDownLatch started = new CountDownLatch(1), release = new CountDownLatch(1), ended = new CountDownLatch(3);
        try (TapQueue queue = queue(ended)) {
            hold(queue, started, release);
            started.await();
            add(queue, "tap", true);
            add(queue, "undo", false);
            queue.refresh(() -> done.add("old drawing"));
            queue.refresh(() -> done.add("drawing"));
            release.countDown();
            assertTrue(ended.await(10, TimeUnit.SECONDS));
            assertEquals(List.of("drawing", "tap", "undo"), done);
        }
    }

    @Test
    void anErrorIsToldAndTheNextEditRuns() throws InterruptedException {
        CountDownLatch ended = new CountDownLatch(3);
        try (TapQueue queue = queue(ended)) {
            queue.command(() -> {
                throw new RitmEdgeException.Edit("no");
            });
            queue.command(() -> {
                throw new OutOfMemoryError("little");
            });
            add(queue, "after", false);
            assertTrue(ended.await(10, TimeUnit.SECONDS));
        }
        assertEquals(List.of("Edit", "Memory"), errors);
        assertEquals(List.of("after"), done);
    }

    @Test
    void closingDropsWhatWaitsAndEndsTheThread() throws InterruptedException {
        CountDownLatch started = new CountDownLatch(1), release = new CountDownLatch(1);
        TapQueue queue = queue(new CountDownLatch(1));
        hold(queue, started, release);
        started.await();
        add(queue, "late", false);
        Thread closer = new Thread(queue::close);
        closer.start();
        while (closer.getState() != Thread.State.WAITING) Thread.sleep(1);
        release.countDown();
        closer.join(10_000);
        add(queue, "later", true);
        Thread.sleep(50);
        assertEquals(List.of(), done);
    }
}
