/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue.c: a message in either direction, through queues.
 *
 * Python's twin:
 *
 *     def work(questions, answers):
 *         print(questions.get())
 *         answers.put([42, None, 'hello'])
 *
 *     questions, answers = Queue(), Queue()
 *     p = Process(target=work, args=(questions, answers))
 *     p.start()
 *     questions.put("what is in your list?")
 *     print(answers.get())
 *     p.join()
 */
#include <inttypes.h>
#include <mproc/mproc.h>
#include <stdio.h>

static int work(const mproc_args *args)
{
    mproc_queue *questions, *answers;
    mproc_value question;
    int rc = MPROC_UNPACK(args, &questions, &answers);
    if (rc < 0 || (rc = mproc_queue_get(questions, &question, MPROC_FOREVER)) < 0) {
        return rc;
    }
    if (question.type == MPROC_STRING) {
        printf("%s\n", question.as.string.data);
        fflush(stdout);
    }
    mproc_value_clear(&question);
    return mproc_queue_put(answers, MPROC_LIST(42, MPROC_NIL_VALUE, "hello"), MPROC_FOREVER);
}

static void show(const mproc_value *value)
{
    switch (value->type) {
    case MPROC_INT:
        printf("%" PRId64, value->as.integer);
        break;
    case MPROC_STRING:
        printf("'%s'", value->as.string.data);
        break;
    default:
        printf("%s", mproc_type_name(value->type));
    }
}

static void show_list(const mproc_value *value)
{
    size_t count = value->type == MPROC_LIST ? value->as.list.count : 0;
    for (size_t i = 0; i < count; i++) {
        printf("%s", i == 0 ? "[" : ", ");
        show(&value->as.list.items[i]);
    }
    printf("]\n");
}

int main(int argc, char **argv)
{
    mproc_main(argc, argv);

    mproc_queue *questions, *answers;
    mproc_process *child;
    mproc_value answer;
    if (mproc_queue_create(&questions, NULL) < 0 || mproc_queue_create(&answers, NULL) < 0) {
        return mproc_perror("create");
    }
    if (mproc_process_start(&child, work, MPROC_ARGS(questions, answers), NULL) < 0) {
        return mproc_perror("process");
    }
    mproc_value question = MPROC_VALUE("what is in your list?");
    if (mproc_queue_put(questions, question, MPROC_FOREVER) < 0 ||
        mproc_queue_get(answers, &answer, MPROC_FOREVER) < 0) {
        return mproc_perror("queue");
    }
    show_list(&answer);
    mproc_value_clear(&answer);
    if (mproc_process_join(child, MPROC_FOREVER) < 0) {
        return mproc_perror("join");
    }
    mproc_process_close(child);
    mproc_queue_close(questions);
    mproc_queue_close(answers);
    return 0;
}
