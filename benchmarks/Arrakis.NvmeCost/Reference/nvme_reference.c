// The same driver as NvmeQueuePair.cs in C, and the controller in memory that both drivers are measured against. The controller moves
// no data and completes each batch in the opposite order.

#define _GNU_SOURCE
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <x86intrin.h>

#define PAGE 4096u
#define MAX_BATCH 1024

enum operation { READ, WRITE };

struct command {
    uint64_t block;
    uint64_t data_offset;
    uint32_t blocks;
    uint32_t data_length;
    uint16_t tag;
    uint8_t operation;
    uint8_t durable;
};

struct completion {
    uint16_t tag;
    uint16_t raw_status;
    uint32_t status;
};

struct layout {
    int64_t submission;
    int64_t completion;
    int64_t lists;
    int64_t length;
    uint64_t iova;
    uint32_t size;
    uint32_t list_length;
    uint32_t name_space;
};

struct mapping {
    uint8_t *memory;
    uint8_t *registers;
    int64_t length;
};

struct device {
    struct mapping mapping;
    uint64_t *submission;
    uint32_t *completion;
    volatile uint32_t *tail;
    uint32_t mask;
    uint32_t size;
    uint32_t fetched;
    uint32_t posted;
};

struct driver {
    struct mapping mapping;
    uint8_t *submission;
    uint8_t *completion;
    uint8_t *lists;
    volatile uint32_t *tail_doorbell;
    volatile uint32_t *head_doorbell;
    bool *with_device;
    uint64_t memory;
    uint64_t list_address;
    uint64_t name_space;
    uint32_t list_length;
    uint32_t mask;
    uint32_t size;
    uint32_t shift;
    uint32_t tail;
    uint32_t published;
    uint32_t head;
    uint32_t fetched;
    int in_flight;
};

struct result {
    uint64_t cycles;
    uint64_t completed;
};

static bool map(struct mapping *mapping, int memory, int registers, int64_t length)
{
    mapping->length = length;
    mapping->memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, memory, 0);
    mapping->registers = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, registers, 0);
    return mapping->memory != MAP_FAILED && mapping->registers != MAP_FAILED;
}

// Doorbells: the tail at 8, the head at 12.
struct device *nvme_device_open(int memory, int registers, const struct layout *layout)
{
    struct device *device = calloc(1, sizeof *device);
    if (!device || !map(&device->mapping, memory, registers, layout->length))
        return NULL;
    device->submission = (uint64_t *)(device->mapping.memory + layout->submission);
    device->completion = (uint32_t *)(device->mapping.memory + layout->completion);
    device->tail = (volatile uint32_t *)(device->mapping.registers + 8);
    device->size = layout->size;
    device->mask = layout->size - 1;
    return device;
}

int nvme_device_serve(struct device *device)
{
    uint16_t ids[MAX_BATCH];
    uint32_t tail = *device->tail;
    int count = 0;
    for (; (device->fetched & device->mask) != tail && count < MAX_BATCH; count++, device->fetched++)
        ids[count] = (uint16_t)(device->submission[(device->fetched & device->mask) * 8] >> 16);
    for (int i = count - 1; i >= 0; i--, device->posted++) {
        uint32_t *entry = device->completion + (device->posted & device->mask) * 4;
        uint32_t phase = (device->posted / device->size & 1) == 0;
        entry[0] = 0;
        entry[2] = (device->fetched & device->mask) | 1u << 16;
        __atomic_store_n(&entry[3], ids[i] | phase << 16, __ATOMIC_RELEASE);
    }
    return count;
}

struct driver *nvme_driver_open(int memory, int registers, const struct layout *layout)
{
    struct driver *driver = calloc(1, sizeof *driver);
    if (!driver || !map(&driver->mapping, memory, registers, layout->length))
        return NULL;
    driver->submission = driver->mapping.memory + layout->submission;
    driver->completion = driver->mapping.memory + layout->completion;
    driver->lists = driver->mapping.memory + layout->lists;
    driver->tail_doorbell = (volatile uint32_t *)(driver->mapping.registers + 8);
    driver->head_doorbell = (volatile uint32_t *)(driver->mapping.registers + 12);
    driver->memory = layout->iova;
    driver->list_address = layout->iova + layout->lists;
    driver->list_length = layout->list_length;
    driver->name_space = (uint64_t)layout->name_space << 32;
    driver->size = layout->size;
    driver->mask = layout->size - 1;
    driver->shift = __builtin_ctz(layout->size);
    driver->with_device = calloc(layout->size, sizeof(bool));
    return driver->with_device ? driver : NULL;
}

void nvme_close(void *either, bool is_driver)
{
    struct mapping *mapping = either;
    munmap(mapping->memory, mapping->length);
    munmap(mapping->registers, PAGE);
    if (is_driver)
        free(((struct driver *)either)->with_device);
    free(either);
}

static uint64_t describe_more(struct driver *driver, uint32_t tag, uint64_t address, uint32_t length)
{
    uint32_t entries = (uint32_t)((address & (PAGE - 1)) + length - 1) / PAGE;
    if (entries > driver->list_length / 8)
        abort();
    uint64_t *list = (uint64_t *)(driver->lists + (size_t)tag * driver->list_length);
    uint64_t page = (address | (PAGE - 1)) + 1;
    for (uint32_t i = 0; i < entries; i++, page += PAGE)
        list[i] = page;
    return driver->list_address + (uint64_t)tag * driver->list_length;
}

static int submit(struct driver *driver, const struct command *commands, int wanted)
{
    int room = (int)driver->mask - driver->in_flight;
    int count = wanted < room ? wanted : room;
    uint32_t tail = driver->tail;
    for (int i = 0; i < count; i++) {
        const struct command *command = &commands[i];
        uint32_t tag = command->tag;
        if (tag >= driver->mask || driver->with_device[tag])
            abort();
        uint64_t *entry = (uint64_t *)(driver->submission + (size_t)(tail & driver->mask) * 64);
        uint64_t address = driver->memory + command->data_offset;
        uint64_t end = (address & (PAGE - 1)) + command->data_length;
        uint64_t second = 0;
        if (end > PAGE)
            second = end <= 2 * PAGE ? (address | (PAGE - 1)) + 1 : describe_more(driver, tag, address, command->data_length);
        entry[0] = driver->name_space | tag << 16 | (2u - command->operation);
        entry[3] = address;
        entry[4] = second;
        entry[5] = command->block;
        entry[6] = (command->blocks - 1) | (command->durable ? 1u << 30 : 0);
        driver->with_device[tag] = true;
        tail++;
    }
    driver->tail = tail;
    driver->in_flight += count;
    return count;
}

static void publish(struct driver *driver)
{
    if (driver->published != driver->tail) {
        driver->published = driver->tail;
        __atomic_signal_fence(__ATOMIC_RELEASE);
        *driver->tail_doorbell = driver->tail & driver->mask;
    }
}

static int take_completed(struct driver *driver, struct completion *completions, int room)
{
    uint32_t head = driver->head;
    uint32_t fetched = driver->fetched;
    int count = 0;
    while (count < room) {
        uint8_t *entry = driver->completion + (size_t)(head & driver->mask) * 16;
        uint32_t last = __atomic_load_n((uint32_t *)(entry + 12), __ATOMIC_ACQUIRE);
        if (((last >> 16 ^ head >> driver->shift) & 1) == 0)
            break;
        uint32_t queue = __atomic_load_n((uint32_t *)(entry + 8), __ATOMIC_ACQUIRE);
        uint32_t tag = (uint16_t)last;
        if (tag >= driver->mask || !driver->with_device[tag])
            abort();
        uint32_t submission_head = (uint16_t)queue;
        if (submission_head > driver->mask || ((submission_head - fetched) & driver->mask) > ((driver->published - fetched) & driver->mask))
            abort();
        fetched = submission_head;
        driver->with_device[tag] = false;
        completions[count++] = (struct completion){ (uint16_t)tag, (uint16_t)(last >> 17 & 0x7FF), last >> 17 };
        head++;
    }
    if (count > 0) {
        driver->head = head;
        driver->fetched = fetched;
        driver->in_flight -= count;
        __atomic_signal_fence(__ATOMIC_RELEASE);
        *driver->head_doorbell = head & driver->mask;
    }
    return count;
}

// By a call, as the other side has it.
static __attribute__((noinline)) uint64_t counter(void)
{
    return __rdtsc();
}

// Batches of commands, each submitted and completed whole; only the driver's part is in the cycles.
struct result nvme_driver_run(struct driver *driver, struct device *device, const struct command *commands, int depth, int batches)
{
    struct result result = { 0, 0 };
    struct completion completions[MAX_BATCH];
    for (int i = 0; i < batches; i++) {
        uint64_t start = counter();
        submit(driver, commands, depth);
        publish(driver);
        uint64_t middle = counter();
        nvme_device_serve(device);
        uint64_t again = counter();
        int count = take_completed(driver, completions, depth);
        uint64_t end = counter();
        __asm__ volatile("" : : "r"(completions) : "memory");
        result.cycles += middle - start + (end - again);
        result.completed += count;
    }
    return result;
}
